%% Plays scenarios with the real supervisor of Erlang/OTP and writes their traces; tests/otp/oracle calls it.
%% A scenario is a process of its own with a table of its own, so many are played at once.
-module(oracle).
-export([main/0]).

-define(STEP_LIMIT_MS, 120000).
-define(AT_ONCE, 400).
-define(ALONE_MS, 200).

main() ->
	logger:set_primary_config(level, none),
	%% Why a supervisor ends is decided in these two functions; where they are called otherwise, causes are left out.
	Traced = [erlang:trace_pattern({supervisor, Function, Arity}, [{'_', [], [{return_trace}]}], [local]) ||
			 {Function, Arity} <- [{add_restart, 1}, {do_auto_shutdown, 2}]],
	persistent_term:put(causes, lists:all(fun(N) -> N > 0 end, Traced)),
	[Order, Out, List] = init:get_plain_arguments(),
	{ok, Names} = file:read_file(List),
	Files = string:lexemes(unicode:characters_to_list(Names), "\n"),
	Failed = pool(Files, fun(File) -> play_file(File, Out, list_to_atom(Order)) end, 0, 0),
	erlang:halt(min(Failed, 1)).

%% Plays all, ?AT_ONCE of them at a time; how many failed.
pool([File | Rest], Play, Running, Failed) when Running < ?AT_ONCE ->
	spawn_monitor(fun() -> Play(File) end),
	pool(Rest, Play, Running + 1, Failed);
pool(_, _, 0, Failed) ->
	Failed;
pool(Files, Play, Running, Failed) ->
	receive
		{'DOWN', _, process, _, normal} -> pool(Files, Play, Running - 1, Failed);
		{'DOWN', _, process, _, _} -> pool(Files, Play, Running - 1, Failed + 1)
	end.

play_file(File, Out, Order) ->
	try
		{ok, Text} = file:read_file(File),
		Scenario = oracle_json:decode(Text),
		lists:foreach(fun({N, Alternative}) -> write(Out, File, N, play(Alternative, Order)) end,
			      alternatives(Order, Scenario))
	catch
		error:{badmatch, {error, Reason}} ->
			io:format(standard_error, "oracle: ~ts: ~ts~n", [File, file:format_error(Reason)]),
			exit(failed);
		error:not_quiet ->
			io:format(standard_error, "oracle: ~ts: it never becomes quiet~n", [File]),
			exit(failed);
		Class:Reason:Stack ->
			io:format(standard_error, "oracle: ~ts: ~0tp ~0tP in ~0tP~n", [File, Class, Reason, 20, hd(Stack), 20]),
			exit(failed)
	end.

write("-", _File, _N, Lines) ->
	file:write(standard_io, Lines);
write(Out, File, N, Lines) ->
	Suffix = case N of 0 -> ""; _ -> "~" ++ integer_to_list(N) end,
	ok = file:write_file(filename:join(Out, filename:basename(File, ".json") ++ ".trace" ++ Suffix), Lines).

%%% Orders of arrival: every order of the ends that one step asks for at one supervisor

alternatives(orders, #{<<"steps">> := Steps, <<"tree">> := Tree} = Scenario) ->
	Parents = parents(Tree, #{}),
	All = lists:foldr(fun(Step, Tails) -> [[One | Tail] || One <- orders(Step, Parents), Tail <- Tails] end, [[]], Steps),
	[{N, Scenario#{<<"steps">> := Choice}} ||
		{N, Choice} <- lists:zip(lists:seq(0, length(All) - 1), All), N < 120];
alternatives(_, Scenario) ->
	[{0, Scenario}].

orders(#{<<"op">> := <<"exit">>, <<"who">> := Who} = Step, Parents) when length(Who) =< 5 ->
	Of = fun(Super, Order) -> [End || [Id, _] = End <- Order, maps:get(Id, Parents, none) =:= Super] end,
	Supers = lists:usort([maps:get(Id, Parents, none) || [Id, _] <- Who]),
	Distinct = lists:foldl(fun(Order, Seen) ->
				       Key = [Of(Super, Order) || Super <- Supers],
				       case lists:keymember(Key, 1, Seen) of
					       true -> Seen;
					       false -> [{Key, Order} | Seen]
				       end
			       end, [], permutations(Who)),
	[Step#{<<"who">> := Order} || {_, Order} <- lists:reverse(Distinct)];
orders(Step, _) ->
	[Step].

permutations([]) -> [[]];
permutations(List) -> [[Item | Rest] || Item <- List, Rest <- permutations(List -- [Item])].

parents(#{<<"id">> := Id} = Node, Parents) ->
	lists:foldl(fun(#{<<"id">> := Child} = Spec, Known) -> parents(Spec, Known#{Child => Id}) end,
		    Parents, maps:get(<<"children">>, Node, [])).

%%% A scenario

play(#{<<"tree">> := Tree, <<"steps">> := Steps}, Order) ->
	process_flag(trap_exit, true),
	Tab = ets:new(scenario, [ordered_set, public]),
	Player = self(),
	ets:insert(Tab, {order, Order}),
	Collector = spawn_link(fun() ->
		Flags = [procs, call, set_on_spawn, strict_monotonic_timestamp, {tracer, self()}],
		erlang:trace(Player, true, Flags),
		Player ! {self(), ready},
		collect(Tab)
	end),
	receive {Collector, ready} -> ok end,
	Boot = case oracle_tree:start_root(Tab, Tree) of
		{ok, Pid} -> ets:insert(Tab, {root, Pid}), ok;
		Refused -> start_error(Refused)
	end,
	quiet(Tab),
	First = line(Tab, Collector, Tree, 0, <<"boot">>, Boot, #{}),
	{Lines, _, _} = lists:foldl(
		fun(#{<<"op">> := Op} = Step, {Before, N, Pids}) ->
			Result = step(Op, Step, Tab, turn(Order, N rem 2)),
			{Line, Now} = line(Tab, Collector, Tree, N, Op, Result, Pids),
			{[Before, Line], N + 1, Now}
		end, {element(1, First), 1, element(2, First)}, Steps),
	clean(Tab),
	erlang:trace(self(), false, [all]),
	unlink(Collector),
	exit(Collector, kill),
	ets:delete(Tab),
	Lines.

%% Nothing may stay: what does not stop is killed.
clean(Tab) ->
	Pids = lists:append(ets:match(Tab, {{super, '_'}, '$1'}) ++ ets:match(Tab, {{worker, '_'}, '$1', '_'})),
	[exit(Pid, kill) || Pid <- Pids].

%% Who is let go first may change from step to step.
turn(odd, 1) -> first;
turn(odd, 0) -> last;
turn(even, N) -> turn(odd, 1 - N);
turn(Order, _) -> Order.

step(<<"exit">>, #{<<"who">> := Who} = Step, Tab, Order) ->
	Call = maps:get(<<"call">>, Step, none),
	Supers = unique([Super || [Id, _] <- Who, {_, Super} <- [oracle_tree:worker(Tab, Id)]]),
	Held = unique(Supers ++ [Super || Call =/= none, Super <- [oracle_tree:super(Tab, maps:get(<<"sup">>, Call))], Super =/= none]),
	[erlang:suspend_process(Super) || Super <- Held],
	First = maps:get(<<"call_first">>, Step, false),
	Early = [request(Tab, Call) || Call =/= none, First],
	Results = [{Id, die(Tab, Id, binary_to_atom(How))} || [Id, How] <- Who],
	Late = [request(Tab, Call) || Call =/= none, not First],
	let_go(Tab, Order, Held),
	Answers = [{call, answer(Request)} || Request <- Early ++ Late],
	quiet(Tab),
	{Results ++ Answers};
step(<<"wait">>, #{<<"ms">> := Ms}, Tab, _Order) ->
	receive after Ms -> ok end,
	quiet(Tab),
	ok;
step(<<"shutdown">>, _Step, Tab, _Order) ->
	case ets:lookup(Tab, root) of
		[{root, Root}] ->
			Monitor = monitor(process, Root),
			exit(Root, shutdown),
			receive {'DOWN', Monitor, process, Root, _} -> ok after ?STEP_LIMIT_MS -> error(not_quiet) end;
		[] -> ok
	end,
	quiet(Tab),
	ok;
step(_Op, Step, Tab, _Order) ->
	Answer = answer(request(Tab, Step)),
	quiet(Tab),
	Answer.

unique(List) -> lists:foldl(fun(Item, Seen) -> [S || S <- Seen, S =/= Item] ++ [Item] end, [], List).

%% The worker ends; when this returns its supervisor (which is held) has that in its queue.
die(Tab, Id, Reason) ->
	case oracle_tree:worker(Tab, Id) of
		none ->
			not_running;
		{Pid, Super} ->
			Pid ! {die, Reason},
			await_exit(Pid, Super),
			ok
	end.

await_exit(Pid, Super) ->
	{messages, Queue} = process_info(Super, messages),
	case [exit || {'EXIT', From, _} <- Queue, From =:= Pid] of
		[] -> erlang:yield(), await_exit(Pid, Super);
		_ -> ok
	end.

let_go(Tab, last, Held) ->
	let_go(Tab, first, lists:reverse(Held));
let_go(_Tab, first, []) ->
	ok;
let_go(Tab, first, [Super | Held]) ->
	erlang:resume_process(Super),
	settle(Tab, Held, ?ALONE_MS),
	let_go(Tab, first, Held);
let_go(_Tab, _Together, Held) ->
	[erlang:resume_process(Super) || Super <- Held].

%%% Operator's calls

request(Tab, #{<<"op">> := Op, <<"sup">> := Sup} = Call) ->
	case oracle_tree:super(Tab, Sup) of
		none -> none;
		Pid -> gen_server:send_request(Pid, {binary_to_atom(Op), argument(Tab, Call)})
	end.

argument(Tab, #{<<"spec">> := Spec}) -> oracle_tree:child_spec(Tab, Spec);
argument(_Tab, #{<<"id">> := Id}) -> Id.

answer(none) ->
	no_supervisor;
answer(Request) ->
	case gen_server:receive_response(Request, ?STEP_LIMIT_MS) of
		{reply, ok} -> ok;
		{reply, {ok, _}} -> ok;
		{reply, {error, {already_started, _}}} -> already_started;
		{reply, {error, Known}} when Known =:= not_found; Known =:= running; Known =:= restarting;
					     Known =:= already_present -> Known;
		{reply, Error} -> start_error(Error);
		{error, _} -> no_supervisor;
		timeout -> error(not_quiet)
	end.

%% What a supervisor says of a spec that it does not take, and of a child that does not start.
start_error({error, {start_spec, _}}) -> bad_spec;
start_error({error, {supervisor_data, _}}) -> bad_spec;
start_error({error, {bad_combination, _}}) -> bad_spec;
start_error({error, {Invalid, _}}) when is_atom(Invalid) ->
	case atom_to_list(Invalid) of
		"invalid_" ++ _ -> bad_spec;
		_ -> start_failed
	end;
start_error({error, _}) -> start_failed.

%%% Waiting until nothing more happens

quiet(Tab) ->
	settle(Tab, [], ?STEP_LIMIT_MS) orelse error(not_quiet).

settle(Tab, Held, Limit) -> settle(Tab, Held, erlang:monotonic_time(millisecond) + Limit, 0, busy).

%% Nothing can happen any more when every supervisor waits for messages, has none, and all that is linked to it lives.
%% That was so for all of them at one moment if it is so, and the same, twice in a row.
settle(Tab, Held, End, Round, Before) ->
	Supers = [Pid || [Pid] <- ets:match(Tab, {{super, '_'}, '$1'}), is_process_alive(Pid), not lists:member(Pid, Held)],
	case [{Pid, idle(Pid)} || Pid <- Supers] of
		Before ->
			true;
		Now ->
			Seen = case lists:keymember(busy, 2, Now) of true -> busy; false -> Now end,
			case erlang:monotonic_time(millisecond) > End of
				true -> false;
				false -> pause(Round), settle(Tab, Held, End, Round + 1, Seen)
			end
	end.

pause(Round) when Round < 20 -> erlang:yield();
pause(_) -> receive after 1 -> ok end.

idle(Pid) ->
	case process_info(Pid, [status, message_queue_len, current_function, links]) of
		[{status, waiting}, {message_queue_len, 0}, {current_function, {gen_server, loop, _}}, {links, Links}] ->
			case lists:all(fun(Link) -> is_process_alive(Link) end, Links) of
				true -> Links;
				false -> busy
			end;
		_ ->
			busy
	end.

%%% The trace

%% Notes what the VM tells of the processes of a scenario.
collect(Tab) ->
	receive
		{trace_ts, Pid, exit, Reason, {_, Stamp}} ->
			oracle_tree:note(Tab, Stamp, {exit, Pid, Reason});
		{trace_ts, Pid, return_from, {_, add_restart, _}, {terminate, _}, {_, Stamp}} ->
			oracle_tree:note(Tab, Stamp, {cause, Pid, intensity});
		{trace_ts, Pid, return_from, {_, do_auto_shutdown, _}, {shutdown, _}, {_, Stamp}} ->
			oracle_tree:note(Tab, Stamp, {cause, Pid, auto_shutdown});
		{flush, From} ->
			From ! {self(), flushed};
		_ ->
			ok
	end,
	collect(Tab).

%% The line of a step, and the processes known after it.
line(Tab, Collector, Tree, N, Op, Result, Pids) ->
	Delivered = erlang:trace_delivered(all),
	receive {trace_delivered, all, Delivered} -> Collector ! {flush, self()} end,
	receive {Collector, flushed} -> ok end,
	Noted = [Event || [Event] <- ets:match(Tab, {{event, '_'}, '$1'})],
	ets:match_delete(Tab, {{event, '_'}, '_'}),
	{Events, Now} = lists:foldl(fun event/2, {[], Pids}, Noted),
	Line = oracle_json:encode({[{step, N}, {op, Op}, {result, Result}, {events, lists:reverse(Events)},
		{state, state(Tab, maps:get(<<"id">>, Tree))},
		{starts, {[{Id, Count} || [Id, Count] <- ets:match(Tab, {{starts, '$1'}, '$2'})]}}]}),
	{[Line, $\n], Now}.

event({start, Id, N, Pid}, {Events, Pids}) ->
	{[[start, Id, N] | Events], Pids#{Pid => {worker, Id, N}}};
event({start_failed, Id, Attempt}, {Events, Pids}) ->
	{[[start_failed, Id, Attempt] | Events], Pids};
event({super_start, Id, N, Pid}, {Events, Pids}) ->
	{[[supervisor_start, Id, N] | Events], Pids#{Pid => {super, Id, N, stopped}}};
event({super_failed, Id, N}, {Events, Pids}) ->
	{[[supervisor_exit, Id, N, start_failed | cause(start_failed)] | Events], Pids};
event({cause, Pid, Cause}, {Events, Pids}) ->
	{Events, case Pids of #{Pid := {super, Id, N, _}} -> Pids#{Pid := {super, Id, N, Cause}}; _ -> Pids end};
event({exit, Pid, Reason}, {Events, Pids}) ->
	case maps:take(Pid, Pids) of
		error -> {Events, Pids};
		{{worker, Id, N}, Rest} -> {[[stop, Id, N, Reason] | Events], Rest};
		{{super, _, _, _}, Rest} when is_tuple(Reason) -> {Events, Rest};
		{{super, Id, N, Cause}, Rest} -> {[[supervisor_exit, Id, N, Reason | cause(Cause)] | Events], Rest}
	end.

cause(Cause) -> [Cause || persistent_term:get(causes)].

state(Tab, Id) ->
	{State, Children} =
		case oracle_tree:super(Tab, Id) of
			none -> {stopped, []};
			Pid -> {running, lists:reverse(gen_server:call(Pid, which_children))}
		end,
	{[{id, Id}, {state, State}, {children, [child(Tab, Child) || Child <- Children]}]}.

child(Tab, {Id, Pid, supervisor, _}) when is_pid(Pid) -> state(Tab, Id);
child(_Tab, {Id, Pid, supervisor, _}) -> {[{id, Id}, {state, status(Pid)}, {children, []}]};
child(_Tab, {Id, Pid, worker, _}) -> {[{id, Id}, {state, status(Pid)}]}.

status(Pid) when is_pid(Pid) -> running;
status(undefined) -> stopped;
status(restarting) -> restarting.

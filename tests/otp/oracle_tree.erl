%% The tree of a scenario: real supervisors, and workers that behave as the scenario says.
%% Everything that is not the supervisors' own stands here, and what happens is noted with the system's strictly
%% monotonic counter, which the VM's trace messages carry too: so there is one order of all, and it is the causal one.
%%
%% The table of a scenario (public, ordered): {{attempts, Id}, N} · {{starts, Id}, N} · {{worker, Id}, Pid, Supervisor} ·
%% {{super, Id}, Pid} · {{event, Stamp}, Event} · {order, of oracle -l}.
-module(oracle_tree).
-behaviour(supervisor).
-export([start_root/2, child_spec/2, note/3, count/2, worker/2, super/2]).
-export([start_worker/2, start_super/2, run_worker/3, init/1]).

-define(SLOW_MS, 20).

note(Tab, Stamp, Event) -> ets:insert(Tab, {{event, Stamp}, Event}).
note(Tab, Event) -> note(Tab, erlang:unique_integer([monotonic]), Event).

count(Tab, Key) -> ets:update_counter(Tab, Key, 1, {Key, 0}).

%% The process of a worker and its supervisor's, if it runs.
worker(Tab, Id) ->
	case ets:lookup(Tab, {worker, Id}) of
		[{_, Pid, Super}] -> alive(Pid, {Pid, Super});
		[] -> none
	end.

super(Tab, Id) ->
	case ets:lookup(Tab, {super, Id}) of
		[{_, Pid}] -> alive(Pid, Pid);
		[] -> none
	end.

alive(Pid, Answer) ->
	case is_process_alive(Pid) of
		true -> Answer;
		false -> none
	end.

%%% Specs

start_root(Tab, Spec) -> start_super(Tab, Spec).

child_spec(Tab, #{<<"id">> := Id} = Spec) ->
	{Type, Start, Shutdown} =
		case Spec of
			#{<<"type">> := <<"supervisor">>} -> {supervisor, start_super, infinity};
			_ -> {worker, start_worker, shutdown(maps:get(<<"shutdown">>, Spec, 5000))}
		end,
	#{id => Id, type => Type, start => {?MODULE, Start, [Tab, Spec]}, shutdown => Shutdown,
	  restart => key(<<"restart">>, Spec, permanent), significant => maps:get(<<"significant">>, Spec, false)}.

shutdown(<<"brutal_kill">>) -> brutal_kill;
shutdown(<<"infinity">>) -> infinity;
shutdown(Ms) -> Ms.

key(Key, Spec, Default) ->
	case Spec of
		#{Key := Name} -> binary_to_atom(Name);
		#{} -> Default
	end.

%%% Supervisors

%% Runs in the parent: that a supervisor has failed to start is noted when the parent learns of it (OTP 39).
start_super(Tab, #{<<"id">> := Id} = Spec) ->
	Before = counted(Tab, Id),
	Order = ets:lookup_element(Tab, order, 2),
	%% It may do something at once, while its parent goes on (OTP 38): one of the two waits.
	case start_link(Order, {Tab, Spec}) of
		{ok, Pid} ->
			[receive after ?SLOW_MS -> ok end || Order =:= slow],
			{ok, Pid};
		Error ->
			[note(Tab, {super_failed, Id, counted(Tab, Id)}) || counted(Tab, Id) > Before],
			Error
	end.

%% As supervisor:start_link does, and before its first message it waits.
start_link(late, Arguments) ->
	gen_server:start_link(supervisor, {self, ?MODULE, Arguments}, [{debug, [{install, {fun wait_once/3, new}}]}]);
start_link(_, Arguments) ->
	supervisor:start_link(?MODULE, Arguments).

wait_once(new, {in, _Message}, _Name) ->
	receive after ?SLOW_MS -> done end;
wait_once(State, _Event, _Name) ->
	State.

counted(Tab, Id) ->
	case ets:lookup(Tab, {starts, Id}) of
		[{_, N}] -> N;
		[] -> 0
	end.

init({Tab, #{<<"id">> := Id} = Spec}) ->
	Auto = key(<<"auto_shutdown">>, Spec, never),
	Flags = #{strategy => key(<<"strategy">>, Spec, one_for_one), intensity => maps:get(<<"intensity">>, Spec, 1),
		  period => maps:get(<<"period_s">>, Spec, 5), auto_shutdown => Auto},
	Children = [child_spec(Tab, Child) || Child <- maps:get(<<"children">>, Spec, [])],
	%% A spec that will be refused has begun nothing.
	case supervisor:check_childspecs(Children, Auto) of
		ok ->
			ets:insert(Tab, {{super, Id}, self()}),
			note(Tab, {super_start, Id, count(Tab, {starts, Id}), self()});
		_ ->
			ok
	end,
	{ok, {Flags, Children}}.

%%% Workers

%% Runs in the supervisor.
start_worker(Tab, #{<<"id">> := Id} = Spec) ->
	Attempt = count(Tab, {attempts, Id}),
	Start = maps:get(<<"start">>, Spec, <<"ok">>),
	crash(Tab, crashes(Start, Attempt)),
	case fails(Start, Attempt) of
		true ->
			note(Tab, {start_failed, Id, Attempt}),
			{error, start_failed};
		false ->
			{ok, Pid} = proc_lib:start_link(?MODULE, run_worker, [Tab, Spec, self()]),
			ets:insert(Tab, {{worker, Id}, Pid, self()}),
			note(Tab, {start, Id, count(Tab, {starts, Id}), Pid}),
			{ok, Pid}
	end.

crashes(#{<<"crash">> := Crash}, Attempt) -> maps:get(integer_to_binary(Attempt), Crash, []);
crashes(_, _) -> [].

fails(#{<<"fail">> := Attempts} = Start, Attempt) ->
	lists:member(Attempt, Attempts) orelse fails(maps:remove(<<"fail">>, Start), Attempt);
fails(#{<<"fail_from">> := First}, Attempt) -> Attempt >= First;
fails(_, _) -> false.

%% Those of them that run crash, one after the other, and are dead when this returns.
crash(Tab, Ids) ->
	lists:foreach(
	  fun(Id) ->
		case worker(Tab, Id) of
			{Pid, _} when Pid =/= self() ->
				Monitor = monitor(process, Pid),
				Pid ! {die, crash},
				receive {'DOWN', Monitor, process, Pid, _} -> ok end;
			_ ->
				ok
		end
	  end, Ids).

run_worker(Tab, Spec, Super) ->
	process_flag(trap_exit, true),
	proc_lib:init_ack({ok, self()}),
	worker_loop(Tab, Super, maps:get(<<"stop">>, Spec, <<"graceful">>)).

worker_loop(Tab, Super, Stop) ->
	receive
		{die, Reason} -> exit(Reason);
		{'EXIT', Super, _} -> stop(Tab, Super, Stop)
	end.

stop(_Tab, _Super, <<"graceful">>) -> exit(shutdown);
stop(Tab, Super, <<"ignore_term">>) -> worker_loop(Tab, Super, <<"ignore_term">>);
stop(_Tab, _Super, <<"crash">>) -> exit(crash);
stop(_Tab, _Super, #{<<"slow_ms">> := Ms}) ->
	receive
		{die, Reason} -> exit(Reason)
	after Ms ->
		exit(shutdown)
	end;
stop(Tab, _Super, #{<<"crash">> := Ids}) ->
	crash(Tab, Ids),
	exit(shutdown).

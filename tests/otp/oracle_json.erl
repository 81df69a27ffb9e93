%% JSON, as far as scenarios need it (the library has had a parser only since OTP 27).
%% Objects are maps, strings binaries, null the atom; to be written, an object is {[{Key, Value}]}, which keeps its order.
-module(oracle_json).
-export([decode/1, encode/1]).

decode(Text) ->
	{Value, Rest} = value(skip(Text)),
	<<>> = skip(Rest),
	Value.

skip(<<C, Rest/binary>>) when C =:= $\s; C =:= $\t; C =:= $\n; C =:= $\r -> skip(Rest);
skip(Text) -> Text.

value(<<"{", Rest/binary>>) -> object(skip(Rest), #{});
value(<<"[", Rest/binary>>) -> array(skip(Rest), []);
value(<<"\"", Rest/binary>>) -> string(Rest, []);
value(<<"true", Rest/binary>>) -> {true, Rest};
value(<<"false", Rest/binary>>) -> {false, Rest};
value(<<"null", Rest/binary>>) -> {null, Rest};
value(Text) -> number(Text, 0).

number(Text, Length) ->
	case Text of
		<<_:Length/binary, C, _/binary>> when C >= $0, C =< $9; C =:= $-; C =:= $+; C =:= $.; C =:= $e; C =:= $E ->
			number(Text, Length + 1);
		<<Digits:Length/binary, Rest/binary>> when Length > 0 ->
			{try binary_to_integer(Digits) catch error:badarg -> binary_to_float(Digits) end, Rest}
	end.

object(<<"}", Rest/binary>>, Members) -> {Members, Rest};
object(<<"\"", Rest/binary>>, Members) ->
	{Key, AfterKey} = string(Rest, []),
	<<":", AfterColon/binary>> = skip(AfterKey),
	{Value, AfterValue} = value(skip(AfterColon)),
	object(next(skip(AfterValue), $}), Members#{Key => Value}).

array(<<"]", Rest/binary>>, Items) -> {lists:reverse(Items), Rest};
array(Text, Items) ->
	{Value, Rest} = value(Text),
	array(next(skip(Rest), $]), [Value | Items]).

%% After a member: a comma and the next, or the closing bracket, which stays.
next(<<",", Rest/binary>>, _End) -> skip(Rest);
next(<<End, _/binary>> = Text, End) -> Text.

string(<<"\"", Rest/binary>>, Text) -> {unicode:characters_to_binary(lists:reverse(Text)), Rest};
string(<<"\\u", Hex:4/binary, Rest/binary>>, Text) ->
	case {binary_to_integer(Hex, 16), Rest} of
		{High, <<"\\u", Low:4/binary, After/binary>>} when High >= 16#D800, High < 16#DC00 ->
			string(After, [16#10000 + (High - 16#D800) * 1024 + binary_to_integer(Low, 16) - 16#DC00 | Text]);
		{Code, _} ->
			string(Rest, [Code | Text])
	end;
string(<<"\\", C, Rest/binary>>, Text) ->
	Plain = case C of $n -> $\n; $t -> $\t; $r -> $\r; $b -> $\b; $f -> $\f; _ -> C end,
	string(Rest, [Plain | Text]);
string(<<C/utf8, Rest/binary>>, Text) -> string(Rest, [C | Text]).

encode({Members}) -> [${, join([[encode(Key), $:, encode(Value)] || {Key, Value} <- Members]), $}];
encode(List) when is_list(List) -> [$[, join([encode(Item) || Item <- List]), $]];
encode(Number) when is_integer(Number) -> integer_to_binary(Number);
encode(Bool) when is_boolean(Bool) -> atom_to_binary(Bool);
encode(Atom) when is_atom(Atom) -> encode(atom_to_binary(Atom));
encode(Text) when is_binary(Text) -> [$", [escape(C) || <<C/utf8>> <= Text], $"].

escape($") -> <<"\\\"">>;
escape($\\) -> <<"\\\\">>;
escape(C) when C < 32 -> io_lib:format("\\u~4.16.0b", [C]);
escape(C) -> <<C/utf8>>.

join(Items) -> lists:join($,, Items).

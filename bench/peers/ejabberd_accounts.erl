%% Makes many accounts in an ejabberd that has started, then ends it. The script `ejabberd` hands it to erl's -eval, and
%% prefix, count and password as plain arguments.
%% All accounts have one password, so only the first is hashed as ejabberd does it and the others get its keys:
%% thousands of rounds of HMAC in Erlang for each of 18,000 accounts would take minutes.
[Prefix, Count, Password] = init:get_plain_arguments(),
Account = fun(N) -> {list_to_binary(Prefix ++ integer_to_list(N)), <<"localhost">>} end,
{User, Host} = Account(0),
ok = ejabberd_auth:try_register(User, Host, list_to_binary(Password)),
[Made] = mnesia:dirty_read(passwd, Account(0)),
lists:foreach(fun(N) -> ok = mnesia:dirty_write(passwd, setelement(2, Made, Account(N))) end,
              lists:seq(1, list_to_integer(Count) - 1)),
init:stop().

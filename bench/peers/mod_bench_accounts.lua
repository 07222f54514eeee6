-- Makes many accounts in one process: prosodyctl mod_bench_accounts DOMAIN PREFIX COUNT PASSWORD
local adduser = require "util.prosodyctl".adduser;

function module.command(arg)
	local host, prefix, count, password = arg[1], arg[2], tonumber(arg[3]), arg[4];
	for n = 0, count - 1 do
		local ok, err = adduser { user = prefix .. n, host = host, password = password };
		if not ok then
			io.stderr:write("cannot make ", prefix, n, ": ", tostring(err), "\n");
			return 1;
		end
	end
	return 0;
end

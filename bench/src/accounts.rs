//! Makes accounts by running a command of the server's for each.

use std::process::{Command, Stdio};

use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// What makes one account; {user}, {domain} and {password} are filled in. No shell is between
    #[arg(long, value_name = "COMMAND")]
    command: String,
    #[arg(long, value_name = "N", default_value_t = 100)]
    accounts: usize,
    #[arg(long, value_name = "PREFIX", default_value = "bench")]
    user_prefix: String,
    #[arg(long, default_value = "localhost")]
    domain: String,
    #[arg(long, env = "WATTLE_BENCH_PASSWORD", default_value = "bench", hide_env_values = true)]
    password: String,
}

/// Runs the command for each account, and stops at the first that fails.
pub(crate) fn make(options: &Options) -> Result<u8, String> {
    if !options.command.contains("{user}") {
        return Err(
            "--command does not say where the name goes: write it with {user}, {domain} and {password}".to_owned()
        );
    }
    for n in 0..options.accounts {
        let user = format!("{}{n}", options.user_prefix);
        let words: Vec<String> = options
            .command
            .split_ascii_whitespace()
            .map(|word| {
                let word = word.replace("{user}", &user).replace("{domain}", &options.domain);
                word.replace("{password}", &options.password)
            })
            .collect();
        let output = Command::new(&words[0])
            .args(&words[1..])
            .stdin(Stdio::null())
            .output()
            .map_err(|e| format!("{}: {e}", words[0]))?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            return Err(format!(
                "{} accounts made; for {user} the command failed ({}): {}",
                n,
                output.status,
                said.trim()
            ));
        }
    }
    crate::report::say(&format!(
        "{} accounts: {1}0 to {1}{2}",
        options.accounts,
        options.user_prefix,
        options.accounts.saturating_sub(1)
    ));
    Ok(0)
}

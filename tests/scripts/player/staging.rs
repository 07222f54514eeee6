//! What a stage must know of a conversation before it is played: its accounts, its domains, whether it can be played there.

use super::script::{Script, Step};

impl Script {
    /// The same conversation at domains of its own: `example.com` becomes `PREFIX.example.com`, so that many can be played on
    /// one server.
    pub(crate) fn at(&self, prefix: &str) -> Self {
        let mut script = self.clone();
        let mut texts: Vec<&mut String> = vec![&mut script.config];
        texts.extend(script.accounts.iter_mut());
        texts.extend(script.cast.iter_mut().map(|role| &mut role.account));
        for line in &mut script.steps {
            match &mut line.step {
                Step::Send(_, text)
                | Step::Receive { template: text, .. }
                | Step::Sync(_, text)
                | Step::Empty(text) => texts.push(text),
                Step::Enter { occupant, .. } => texts.push(occupant),
                Step::Authenticate(_, credentials) => texts.extend(credentials.authzid.as_mut()),
                _ => {}
            }
        }
        for text in texts {
            *text = moved(text, prefix);
        }
        script
    }

    /// How much time passes in it.
    fn passes_ms(&self) -> u64 {
        self.steps.iter().map(|line| if let Step::Pass(ms) = line.step { ms } else { 0 }).sum()
    }

    /// The bare JIDs of all accounts, each once.
    pub(crate) fn all_accounts(&self) -> Vec<&str> {
        let mut accounts: Vec<&str> = self.cast.iter().map(|role| role.account.as_str()).collect();
        accounts.extend(self.accounts.iter().map(String::as_str));
        accounts.sort_unstable();
        accounts.dedup();
        accounts
    }

    /// Why it cannot be played where time and store are real.
    pub(crate) fn is_virtual(&self) -> Option<String> {
        if self.passes_ms() > 3_000 {
            return Some("too much time passes".to_owned());
        }
        if self.steps.iter().any(|line| matches!(line.step, Step::Store { .. })) {
            return Some("its store fails".to_owned());
        }
        if self.steps.iter().any(|line| matches!(line.step, Step::Empty(_))) {
            return Some("messages grow old in it".to_owned());
        }
        self.only_shards.clone()
    }

    /// Whether nobody else can use its server.
    pub(crate) fn is_alone(&self) -> bool {
        !self.config.is_empty() || self.steps.iter().any(|line| matches!(line.step, Step::Shutdown))
    }
}

/// Puts `prefix.` before each of the served domains, however they are written.
fn moved(text: &str, prefix: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(at) = ["example.com", "example.net"].iter().filter_map(|domain| lower[from..].find(domain)).min() {
        out.push_str(&text[from..from + at]);
        out.push_str(prefix);
        out.push('.');
        out.push_str(&text[from + at..from + at + "example.com".len()]);
        from += at + "example.com".len();
    }
    out.push_str(&text[from..]);
    out
}

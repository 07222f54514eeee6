//! What several servers cost in one scene, over the rounds: the middle, the spread, and ratios to one of them.

use std::collections::BTreeMap;

use crate::peer::Peer;
use crate::result::{Run, spread};
use crate::table::{Table, number};

/// What came of one run.
pub(crate) enum Played {
    Result(Box<Run>),
    NotAtAll,
}

/// All runs of one scene.
pub(crate) struct Summary {
    scene: String,
    base: usize,
    peers: Vec<(Peer, Vec<Played>)>,
}

impl Played {
    /// The run, if its figures may be used.
    fn valid(&self) -> Option<&Run> {
        match self {
            Self::Result(run) => Some(&**run).filter(|run| run.is_valid()),
            Self::NotAtAll => None,
        }
    }

    fn figure(&self, what: &str) -> Option<f64> {
        self.valid()?.figures().iter().find(|figure| figure.what == what).map(|figure| figure.value)
    }

    /// For people, while the others still play.
    pub(crate) fn line(&self) -> String {
        match self {
            Self::NotAtAll => "COULD NOT BE PLAYED".to_owned(),
            Self::Result(run) if !run.is_valid() => format!("NOT VALID: {}", run.complaints()),
            Self::Result(run) => {
                let shown: Vec<String> =
                    run.headlines().iter().map(|figure| format!("{} {}", figure.what, number(figure.value))).collect();
                let warning = if run.warnings().is_empty() { "" } else { "; not to be trusted, see below" };
                format!("{}{warning}", shown.join("; "))
            }
        }
    }
}

impl Summary {
    pub(crate) fn new(scene: &str, peers: &[Peer], base: usize) -> Self {
        Self { scene: scene.to_owned(), base, peers: peers.iter().map(|peer| (peer.clone(), Vec::new())).collect() }
    }

    pub(crate) fn add(&mut self, peer: usize, played: Played) {
        self.peers[peer].1.push(played);
    }

    pub(crate) fn has_invalid(&self) -> bool {
        self.peers.iter().flat_map(|(_, rounds)| rounds).any(|played| played.valid().is_none())
    }

    /// The tables, one for each figure.
    pub(crate) fn text(&self) -> String {
        let base = &self.peers[self.base].0.name;
        let rounds = self.peers.iter().map(|(_, rounds)| rounds.len()).max().unwrap_or(0);
        let mut text = format!("{}: {rounds} rounds; ratios are to {base} in the same round\n", self.scene);
        let mut heads = Table::default();
        for (peer, rounds) in &self.peers {
            let run = rounds.iter().find_map(Played::valid);
            let version = run.map(|run| run.text(&["server_version"])).unwrap_or_default();
            heads.row([peer.name.clone(), peer.words.join(" "), version]);
        }
        text += &heads.text();
        for what in self.headlines() {
            text += &format!("\n  {what}\n");
            text += &self.table(&what).text();
        }
        let notes = self.notes();
        if !notes.is_empty() {
            text += &format!("\n  {}\n", notes.join("\n  "));
        }
        text
    }

    fn headlines(&self) -> Vec<String> {
        let runs = self.peers.iter().flat_map(|(_, rounds)| rounds).filter_map(Played::valid);
        let mut all: Vec<String> = Vec::new();
        for figure in runs.flat_map(Run::headlines) {
            if !all.contains(&figure.what) {
                all.push(figure.what);
            }
        }
        all
    }

    fn table(&self, what: &str) -> Table {
        let mut table = Table::default();
        let base = &self.peers[self.base];
        let ratio = format!("ratio to {}: least", base.0.name);
        table.row(["", "least", "median", "most", &ratio, "median", "most"].map(str::to_owned));
        for (n, (peer, rounds)) in self.peers.iter().enumerate() {
            let values: Vec<f64> = rounds.iter().filter_map(|played| played.figure(what)).collect();
            // Rounds are pairs: what disturbed the machine then disturbed both.
            let pairs = rounds
                .iter()
                .zip(&base.1)
                .filter_map(|(played, base)| Some((played.figure(what)?, base.figure(what)?)));
            // Noise around nothing has no ratio.
            let ratios: Vec<f64> =
                pairs.filter(|(value, base)| *value >= 0.0 && *base > 0.0).map(|(value, base)| value / base).collect();
            let cells = |values: &[f64], sign: &str| match spread(values) {
                Some((least, middle, most)) => [least, middle, most].map(|v| format!("{}{sign}", number(v))),
                None => ["–", "–", "–"].map(str::to_owned),
            };
            let ratios = if n == self.base { Default::default() } else { cells(&ratios, "×") };
            table.row(std::iter::once(peer.name.clone()).chain(cells(&values, "")).chain(ratios));
        }
        table
    }

    /// What is left out, and what is not to be trusted.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let mut warned: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (peer, rounds) in &self.peers {
            for (n, played) in rounds.iter().enumerate() {
                let who = format!("{}, round {}", peer.name, n + 1);
                match played {
                    Played::NotAtAll => notes.push(format!("{who} COULD NOT BE PLAYED, and is left out")),
                    Played::Result(run) if !run.is_valid() => {
                        notes.push(format!("{who} IS NOT VALID, and is left out: {}", run.complaints()));
                    }
                    Played::Result(run) => {
                        run.warnings()
                            .into_iter()
                            .for_each(|w| warned.entry(w).or_default().push(format!("{} {}", peer.name, n + 1)));
                    }
                }
            }
        }
        notes.extend(warned.into_iter().map(|(warning, whose)| format!("{warning}: {}", whose.join(", "))));
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::{Played, Summary};
    use crate::peer::Peer;
    use crate::result::Run;
    use serde_json::json;

    fn played(cpu_ns: u64, valid: bool) -> Played {
        let json = json!({
            "scene": "chat", "machine": { "processes": [{}] }, "valid": valid, "complaints": if valid { vec![] } else { vec!["2 messages lost"] },
            "operation": "delivered", "operations": 1_000, "measured_s": 1.0, "server_usage": { "cpu_ns": cpu_ns },
        });
        Played::Result(Box::new(Run { name: String::new(), json }))
    }

    fn peer(name: &str) -> Peer {
        Peer { name: name.to_owned(), words: vec!["floor".to_owned()] }
    }

    #[test]
    fn ratios_are_of_the_same_round_and_show_their_spread() {
        let mut summary = Summary::new("chat", &[peer("floor"), peer("prosody")], 0);
        for (floor, prosody) in [(1_000_000, 30_000_000), (2_000_000, 50_000_000), (1_000_000, 40_000_000)] {
            summary.add(0, played(floor, true));
            summary.add(1, played(prosody, true));
        }
        let text = summary.text();
        let rows: Vec<String> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let cpu = rows.iter().position(|row| row == "server CPU, µs per delivered").unwrap_or_default();
        assert_eq!(rows[cpu + 2], "floor 1.00 1.00 2.00");
        assert_eq!(rows[cpu + 3], "prosody 30.0 40.0 50.0 25.0× 30.0× 40.0×");
        assert!(!summary.has_invalid());
    }

    #[test]
    fn what_is_not_valid_is_not_averaged() {
        let mut summary = Summary::new("chat", &[peer("floor"), peer("prosody")], 0);
        for (prosody, valid) in [(9_000_000, true), (1_000, false)] {
            summary.add(0, played(1_000_000, true));
            summary.add(1, played(prosody, valid));
        }
        let text = summary.text();
        let row = text.lines().find(|line| line.starts_with("  prosody") && line.contains('×')).unwrap_or_default();
        assert_eq!(
            row.split_whitespace().collect::<Vec<_>>(),
            ["prosody", "9.00", "9.00", "9.00", "9.00×", "9.00×", "9.00×"]
        );
        assert!(text.contains("prosody, round 2 IS NOT VALID, and is left out: 2 messages lost"), "{text}");
        assert!(summary.has_invalid());
    }
}

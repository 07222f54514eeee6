//! One sender's numbered stanzas and each receiver's place in them: what is lost, doubled or overtaken shows in the numbers.

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::frame;
use crate::report::Report;
use crate::times;

/// When a stanza was to be sent, and whether that was in the measured time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) scheduled: Instant,
    pub(crate) measured: bool,
}

/// One that has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) sent: Sent,
    /// Whether everybody has it now.
    pub(crate) last: bool,
}

/// What one sender sent, numbered from 0, to receivers that all are to get all of it.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    sent: u64,
    /// The last ones, without those at the front that everybody has.
    open: VecDeque<Open>,
    receivers: Vec<Receiver>,
}

#[derive(Debug)]
struct Open {
    sent: Sent,
    /// Receivers that do not have it yet.
    left: usize,
}

#[derive(Clone, Debug, Default)]
struct Receiver {
    /// The next number to come.
    expected: u64,
    /// Below `expected`, and not come.
    overtaken: BTreeSet<u64>,
}

/// What went wrong, and right.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) delivered: u64,
    pub(crate) duplicated: u64,
    pub(crate) out_of_order: u64,
    pub(crate) refused: u64,
    /// What nobody of this run sent.
    pub(crate) strange: u64,
    /// The first of those that are not as they should be.
    pub(crate) example: String,
}

impl Ledger {
    pub(crate) fn new(receivers: usize) -> Self {
        Self { receivers: vec![Receiver::default(); receivers], ..Self::default() }
    }

    /// How many were sent: the number of the next one.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Notes that the next number leaves.
    pub(crate) fn send(&mut self, sent: Sent) -> u64 {
        if !self.receivers.is_empty() {
            self.open.push_back(Open { sent, left: self.receivers.len() });
        }
        self.sent += 1;
        self.sent - 1
    }

    /// Counts the arrival of a number. `None` when this receiver had it, or it was never sent.
    pub(crate) fn arrived(&mut self, receiver: usize, number: u64, counts: &mut Counts) -> Option<Arrival> {
        if number >= self.sent {
            counts.strange += 1;
            return None;
        }
        let receiver = &mut self.receivers[receiver];
        if number < receiver.expected {
            if !receiver.overtaken.remove(&number) {
                counts.duplicated += 1;
                return None;
            }
            counts.out_of_order += 1;
        } else {
            receiver.overtaken.extend(receiver.expected..number);
            receiver.expected = number + 1;
        }
        let first = self.sent - self.open.len() as u64;
        let open = self.open.get_mut(usize::try_from(number - first).ok()?)?;
        open.left -= 1;
        let arrival = Arrival { sent: open.sent, last: open.left == 0 };
        while self.open.front().is_some_and(|open| open.left == 0) {
            self.open.pop_front();
        }
        counts.delivered += 1;
        Some(arrival)
    }

    /// Whether a receiver has a number.
    pub(crate) fn has(&self, receiver: usize, number: u64) -> bool {
        let receiver = &self.receivers[receiver];
        number < receiver.expected && !receiver.overtaken.contains(&number)
    }

    /// Deliveries that have not come.
    pub(crate) fn owed(&self) -> u64 {
        self.open.iter().map(|open| open.left as u64).sum()
    }
}

impl Sent {
    /// Notes how long it took from its moment, if it was sent in the measured time.
    pub(crate) fn note(self, now: Instant, latency: &mut Histogram<u64>) {
        if self.measured {
            times::record(latency, now.saturating_duration_since(self.scheduled));
        }
    }
}

impl Counts {
    /// Keeps the first stanza that is not as it should be, for people.
    pub(crate) fn note(&mut self, stanza: &[u8]) {
        if self.example.is_empty() {
            self.example = frame::excerpt(stanza);
        }
    }

    /// All parts' together.
    pub(crate) fn sum<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        all.fold(Self::default(), |mut sum, part| {
            sum.delivered += part.delivered;
            sum.duplicated += part.duplicated;
            sum.out_of_order += part.out_of_order;
            sum.refused += part.refused;
            sum.strange += part.strange;
            if sum.example.is_empty() {
                sum.example.clone_from(&part.example);
            }
            sum
        })
    }

    /// What was not delivered as it should be, in the words of the table.
    pub(crate) fn faults(&self, lost: u64) -> String {
        let Self { duplicated, out_of_order, refused, .. } = self;
        format!("lost {lost}, duplicated {duplicated}, out of order {out_of_order}, refused {refused}")
    }

    /// Says in the report what was wrong with these `things`. A scene that was cut short is invalid for that reason alone.
    pub(crate) fn complain(&self, things: &str, lost: u64, cut_short: bool, report: &mut Report) {
        report.raw(
            "faults",
            json!({
                "lost": lost,
                "duplicated": self.duplicated,
                "out_of_order": self.out_of_order,
                "refused": self.refused,
                "strange": self.strange,
            }),
        );
        let faults = [
            (lost, "lost"),
            (self.duplicated, "duplicated"),
            (self.out_of_order, "out of order"),
            (self.refused, "refused"),
        ];
        for (count, what) in faults.into_iter().filter(|(count, _)| *count > 0 && !cut_short) {
            report.complain(format!("{count} {things} {what} {}", self.example).trim_end().to_owned());
        }
        if self.strange > 0 {
            let (count, first) = (self.strange, &self.example);
            report.row("strange", format!("{count} {things} that nobody of this run sent, the first: {first}"));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{Counts, Ledger, Sent};
    use std::time::Instant;

    fn sent() -> Sent {
        Sent { scheduled: Instant::now(), measured: true }
    }

    #[test]
    fn arrivals_are_told_apart() {
        let mut ledger = Ledger::new(1);
        (0..6).for_each(|n| assert_eq!(ledger.send(sent()), n));
        let mut counts = Counts::default();
        let came: Vec<bool> = [0, 3, 1, 3, 1, 4, 9].map(|n| ledger.arrived(0, n, &mut counts).is_some()).into();
        assert_eq!(came, [true, true, true, false, false, true, false]);
        assert_eq!((counts.delivered, counts.out_of_order, counts.duplicated, counts.strange), (4, 1, 2, 1));
        // 2 was overtaken and 5 is on its way.
        assert_eq!(ledger.owed(), 2);
        assert_eq!([1, 2, 5].map(|n| ledger.has(0, n)), [true, false, false]);
    }

    #[test]
    fn every_receiver_has_a_place_of_its_own() {
        let mut ledger = Ledger::new(3);
        (0..2).for_each(|n| assert_eq!(ledger.send(sent()), n));
        let mut counts = Counts::default();
        for (receiver, number) in [(0, 0), (2, 0), (0, 1), (2, 1), (1, 1)] {
            assert!(ledger.arrived(receiver, number, &mut counts).is_some());
        }
        assert_eq!((ledger.owed(), counts.out_of_order), (1, 0));
        assert!(ledger.arrived(1, 0, &mut counts).is_some());
        assert_eq!((ledger.owed(), counts.out_of_order, counts.duplicated), (0, 1, 0));
        assert!(ledger.arrived(1, 0, &mut counts).is_none());
        assert_eq!(counts.duplicated, 1);
    }

    #[test]
    fn who_sends_to_nobody_owes_nothing() {
        let mut ledger = Ledger::new(0);
        ledger.send(sent());
        assert_eq!((ledger.sent(), ledger.owed()), (1, 0));
    }
}

//! What a store that goes away may cost: a message is refused with an error, so that its sender knows. Then it may be missing,
//! and only then.

use std::collections::BTreeSet;

/// Messages, by their numbers.
pub(crate) type Numbers = BTreeSet<u32>;

/// What one client knows in the end.
#[derive(Clone, Default)]
pub(crate) struct Findings {
    /// Of its own messages, those that came back as errors.
    pub(crate) refused: Numbers,
    /// Of its partner's, those that it did not hear.
    pub(crate) unheard: Numbers,
    /// Of its own, those that its archive lacks.
    pub(crate) own_lacking: Numbers,
    /// Of its partner's, those that its archive lacks.
    pub(crate) partners_lacking: Numbers,
}

/// Everything that is missing and was not refused, and everything that only one of two archives has.
pub(crate) fn faults(findings: &[Findings]) -> Vec<String> {
    let mut faults = Vec::new();
    for (number, client) in findings.iter().enumerate() {
        let partner = &findings[number ^ 1];
        for (lacking, refused, what) in [
            (&client.unheard, &partner.refused, "it did not hear"),
            (&client.own_lacking, &client.refused, "its archive lacks, of its own,"),
            (&client.partners_lacking, &partner.refused, "its archive lacks, of its partner's,"),
        ] {
            let lost: Vec<_> = lacking.difference(refused).collect();
            if !lost.is_empty() {
                faults.push(format!("client {number}: {what} messages that were acknowledged: {lost:?}"));
            }
        }
        let odd: Vec<_> = client.own_lacking.symmetric_difference(&partner.partners_lacking).collect();
        if !odd.is_empty() {
            faults.push(format!("client {number}: only one of two archives has its messages {odd:?}"));
        }
    }
    faults
}

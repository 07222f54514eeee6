//! Which of the store's questions fail, and what that means for the story.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use wattle::store::{Question, StoreFault};

use super::Story;
use super::trace::{push, short};
use crate::chance::Chance;
use crate::ledger::message_ids;
use crate::world::Weather;

/// Of a thousand questions that can fail, as many do as `rate` says at that time; `failed` gets them.
pub(super) fn make(
    seed: u64,
    failed: Rc<RefCell<Vec<Question>>>,
    rate: Rc<Cell<u32>>,
    trace: Rc<RefCell<VecDeque<String>>>,
) -> Weather {
    let mut luck = Chance::new(seed.rotate_left(32));
    Box::new(move |question| {
        if let Some(line) = told(question) {
            push(&trace, line);
        }
        let fails = can_fail(question) && luck.below(1000) < rate.get() as usize;
        fails.then(|| {
            failed.borrow_mut().push(question.clone());
            if luck.percent(50) { StoreFault::Failed } else { StoreFault::Busy }
        })
    })
}

impl Story {
    /// A question has failed: what may go wrong by that.
    pub(super) fn learn_fault(&mut self, question: &Question) {
        self.faulted_steps.push(self.step);
        self.note(format!("store fails: {}", short(&format!("{question:?}"), 120)));
        match question {
            Question::Keep(keep) => {
                for id in message_ids(&keep.stanza) {
                    self.messages[id].faulted = true;
                }
            }
            Question::Account { account } => {
                let index = self.account_index(account.as_str()).unwrap();
                let step = self.step;
                self.accounts[index].unloadable.push(step);
            }
            Question::EndWaiting { account, ids, .. } => {
                let waiting = self.world.store.waiting(account.as_str());
                let kept = waiting.iter().filter(|message| ids.contains(&message.id));
                for id in kept.flat_map(|message| message_ids(&message.stanza)) {
                    self.messages[id].may_repeat = true;
                }
            }
            _ => {}
        }
    }
}

/// What the trace tells of a question.
fn told(question: &Question) -> Option<String> {
    let numbers = |stanza: &[u8]| message_ids(stanza).iter().map(|id| format!("m{id} ")).collect::<String>();
    Some(match question {
        Question::Keep(keep) => format!("  store keeps {}for {}", numbers(&keep.stanza), keep.account),
        Question::ReadWaiting { account, after, .. } => format!("  store reads for {account} above {after}"),
        Question::EndWaiting { account, ids, .. } => format!("  store drops {ids:?} for {account}"),
        Question::Account { account } => format!("  store loads {account}"),
        _ => return None,
    })
}

/// Faults of these leave memory and store apart, which is a story of its own.
fn can_fail(question: &Question) -> bool {
    matches!(
        question,
        Question::Credentials { .. }
            | Question::Account { .. }
            | Question::Keep(_)
            | Question::ReadWaiting { .. }
            | Question::EndWaiting { .. }
            | Question::SaveLast { .. }
            | Question::SetVerifiers { .. }
    )
}

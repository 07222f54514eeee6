//! Processes with those they have started: a PostgreSQL is its backends, an Erlang its port programs.

use std::fs;

/// The processes and all below them, as they are now; each once.
pub(crate) fn of(roots: &[u32]) -> Vec<u32> {
    let mut pids = roots.to_vec();
    let mut n = 0;
    while n < pids.len() {
        let threads = fs::read_dir(format!("/proc/{}/task", pids[n])).into_iter().flatten().flatten();
        // A thread that ends meanwhile is no fault; a kernel without these lists shows the roots alone.
        let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
        let children: Vec<u32> = lists
            .flat_map(|l| l.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
            .collect();
        for pid in children {
            if !pids.contains(&pid) {
                pids.push(pid);
            }
        }
        n += 1;
    }
    pids
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::process::{Command, Stdio};

    #[test]
    fn children_belong_to_their_parents() {
        let me = std::process::id();
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let tree = super::of(&[me, child.id()]);
        assert_eq!(tree[0], me);
        assert_eq!(tree.iter().filter(|pid| **pid == child.id()).count(), 1);
        assert!(super::of(&[me]).contains(&child.id()));
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(!super::of(&[me]).contains(&child.id()));
    }
}

//! Every statement's text, held to what makes it fit for a second database.

use super::Folder;
use crate::store::statements;

/// SQLite numbers `$1` by first appearance, PostgreSQL by its digits: both must mean the same.
#[test]
fn parameters_appear_in_order() {
    let folder = Folder::new();
    drop(folder.open());
    let conn = folder.connect();
    for text in statements::all() {
        let statement = conn.prepare(text).unwrap();
        for index in 1..=statement.parameter_count() {
            assert_eq!(statement.parameter_name(index), Some(format!("${index}").as_str()), "{text}");
        }
    }
}

/// Whatever names an account's rows finds them through an index: nothing reads a whole table.
#[test]
fn no_statement_scans_a_table() {
    let folder = Folder::new();
    drop(folder.open());
    let conn = folder.connect();
    for text in statements::all() {
        let mut plan = conn.prepare(&format!("EXPLAIN QUERY PLAN {text}")).unwrap();
        let nulls = vec![rusqlite::types::Null; plan.parameter_count()];
        let steps: Vec<String> = plan
            .query_map(rusqlite::params_from_iter(nulls), |row| row.get(3))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        for step in steps {
            // None of these is a table of ours.
            let few =
                step.contains("-ROW VALUES CLAUSE") || ["SCAN CONSTANT ROW", "SCAN found"].contains(&step.as_str());
            assert!(!step.starts_with("SCAN") || few, "{step} in {text}");
            assert!(!step.contains("TEMP B-TREE"), "{step} in {text}");
        }
    }
}

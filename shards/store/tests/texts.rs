//! Every statement's text, held to what makes it fit for a second database.

use super::Folder;
use crate::store::statements;
use crate::store::tables::{TABLES, Type};

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

/// What is moved from store to store is all that the migrations make, and in an order in which nothing refers to what is
/// not there yet.
#[test]
fn tables_are_those_of_the_migrations() {
    let folder = Folder::new();
    drop(folder.open());
    let conn = folder.connect();
    let strings = |sql: &str| -> Vec<String> {
        conn.prepare(sql).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let mut names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
    for (place, table) in TABLES.iter().enumerate() {
        let name = table.name;
        let of = |end: &str| strings(&format!("SELECT name FROM pragma_table_info('{name}') {end}"));
        assert_eq!(table.columns.iter().map(|(column, _)| *column).collect::<Vec<_>>(), of("ORDER BY cid"), "{name}");
        assert_eq!(table.key, of("WHERE pk > 0 ORDER BY pk"), "{name}");
        let types = strings(&format!("SELECT type FROM pragma_table_info('{name}') ORDER BY cid"));
        let written = table.columns.iter().map(|(_, holds)| match holds {
            Type::Int => "INTEGER",
            Type::Text => "TEXT",
            Type::Blob => "BLOB",
        });
        assert_eq!(written.collect::<Vec<_>>(), types, "{name}");
        for other in strings(&format!("SELECT \"table\" FROM pragma_foreign_key_list('{name}')")) {
            assert!(names[..place].contains(&&*other), "{name} stands before {other}");
        }
    }
    names.sort_unstable();
    assert_eq!(names, strings("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"));
}

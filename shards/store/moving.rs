//! Moves a whole store into another one, from SQLite to PostgreSQL or back, row by row and with all numbers as they are.
//!
//! Both are locked, so that no server writes. The target says that it is half a copy from its first row to its last, and no
//! server starts on it until it does not.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wattle::config::{Config, Durability};

use super::driver::{self, Access, Driver, Error, Row, Value};
use super::error::{OpenError, Unopened};
use super::tables::{TABLES, Table, Texts, Type, texts};
use super::{postgres, sqlite, statements};
use crate::fault::Fault;

/// The fact that a store is half a copy.
pub(super) const HALF: &str = "half_a_copy";
/// Bytes of one page, from which it is full.
const PAGE_BYTES: usize = 1024 * 1024;

const REMOVE_FACTS: &str = "DELETE FROM fact";
const REMOVE_COUNTERS: &str = "DELETE FROM counter";
const COMPLETE: &str = "DELETE FROM fact WHERE name = $1";

/// Told the table, and how many of its rows are copied, of how many: all only once they are counted in the target.
pub(crate) type Told<'a> = dyn FnMut(&str, u64, u64) + 'a;

/// Copies everything, and says how many rows that were.
///
/// # Errors
/// If either is in use or not usable, if the target is not empty, or if it does not hold as much as the source in the end.
pub(crate) fn moved(config: &Config, from: &str, to: &str, told: &mut Told<'_>) -> Result<u64, Fault> {
    let mut from = Side::source(config, from)?;
    let mut to = Side::target(config, to)?;
    let mut sum = 0;
    for (table, texts) in TABLES.iter().zip(texts()) {
        let all = from.count(table, texts)?;
        let mut until_last = |done| {
            if done < all {
                told(table.name, done, all);
            }
        };
        let copied = copied(&mut from, &mut to, table, texts, &mut until_last)?;
        // Beside its own rows a target has the fact that it is half a copy.
        let more = u64::from(table.name == "fact");
        let found = to.count(table, texts)? - more;
        if copied != all || found != all {
            let what = format!("of {all} rows of the table {} {copied} were copied, and {found} are there", table.name);
            return Err(Fault::new(what, format!("{}, and report this", to.emptied())));
        }
        told(table.name, all, all);
        sum += all;
    }
    to.complete()?;
    Ok(sum)
}

/// One of the two.
struct Side {
    driver: Box<dyn Driver>,
    name: String,
    /// Its file, if it is SQLite.
    file: Option<PathBuf>,
    _lock: Option<File>,
}

impl Side {
    fn source(config: &Config, address: &str) -> Result<Self, Fault> {
        // Opening would make a store.
        let missing = match place(address)? {
            Place::Sqlite(folder) => !sqlite::path(&folder).exists(),
            Place::Postgres => postgres::look(&Arc::new(settings(config, address)?)).map_err(refused)?.schema == 0,
        };
        if missing {
            return Err(Fault::new(
                format!("there is no store in {}", shown(address)),
                "name another place with --from",
            ));
        }
        let mut side = Self::open(config, address)?;
        if half(&mut *side.driver).map_err(|error| side.fault(&error))? {
            return Err(Fault::new(format!("{} is half a copy of another store", side.name), "copy that other one"));
        }
        Ok(side)
    }

    /// Says at once that it is half a copy.
    fn target(config: &Config, address: &str) -> Result<Self, Fault> {
        let mut side = Self::open(config, address)?;
        let mut full = half(&mut *side.driver).map_err(|error| side.fault(&error))?;
        for (table, texts) in TABLES.iter().zip(texts()) {
            // A new store has its counters, and facts about itself.
            full |= !matches!(table.name, "fact" | "counter") && side.has_rows(texts)?;
        }
        let secret = driver::first(&mut *side.driver, statements::FACT, &["secret".into()], |_| Ok(()));
        full |= secret.map_err(|error| side.fault(&error))?.is_some();
        if full {
            let what = format!("{} is not empty", side.name);
            return Err(Fault::new(what, format!("name another place with --to, or {}", side.emptied())));
        }
        let mark = |driver: &mut dyn Driver| {
            driver.begin(Access::Writes)?;
            driver.change(REMOVE_COUNTERS, &[])?;
            driver.change(REMOVE_FACTS, &[])?;
            driver.change(statements::SET_FACT, &[HALF.into(), env!("CARGO_PKG_VERSION").as_bytes().into()])?;
            driver.commit()
        };
        mark(&mut *side.driver).map_err(|error| side.fault(&error))?;
        Ok(side)
    }

    fn open(config: &Config, address: &str) -> Result<Self, Fault> {
        match place(address)? {
            Place::Sqlite(folder) => {
                let at = |path: &Path| {
                    let path = path.to_owned();
                    move |error| Fault::from(Unopened { path, error })
                };
                let lock = sqlite::lock(&folder).map_err(at(&folder))?;
                let file = sqlite::path(&folder);
                // A power cut leaves an earlier state, which is half a copy too; closing it syncs it.
                let driver = sqlite::open(&file, Durability::Relaxed).map_err(at(&file))?;
                let name = file.display().to_string();
                Ok(Self { driver: Box::new(driver), name, file: Some(file), _lock: Some(lock) })
            }
            Place::Postgres => {
                let settings = settings(config, address)?;
                let name = settings.place().to_owned();
                let (writer, _) = postgres::open(settings).map_err(refused)?;
                Ok(Self { driver: Box::new(writer), name, file: None, _lock: None })
            }
        }
    }

    fn has_rows(&mut self, texts: &'static Texts) -> Result<bool, Fault> {
        let found = driver::first(&mut *self.driver, &texts.first_keys, &[], |_| Ok(()));
        found.map(|found| found.is_some()).map_err(|error| self.fault(&error))
    }

    /// In pages, as PostgreSQL gives a statement ten seconds.
    fn count(&mut self, table: &Table, texts: &'static Texts) -> Result<u64, Fault> {
        let types: Vec<Type> = places(table).map(|place| table.columns[place].1).collect();
        let (mut count, mut after) = (0, Vec::new());
        loop {
            let page = page(&mut *self.driver, &texts.first_keys, &texts.next_keys, &types, &after);
            let mut page = page.map_err(|error| self.fault(&error))?;
            let Some(last) = page.pop() else { return Ok(count) };
            count += page.len() as u64 + 1;
            after = last;
        }
    }

    /// It is a store like any other from here on.
    fn complete(mut self) -> Result<(), Fault> {
        if self.file.is_none() {
            for text in texts().iter().filter_map(|texts| texts.numbers.as_deref()) {
                driver::first(&mut *self.driver, text, &[], |_| Ok(())).map_err(|error| self.fault(&error))?;
            }
        }
        // When this value goes, SQLite moves its log into the file.
        self.driver.change(COMPLETE, &[HALF.into()]).map(|_| ()).map_err(|error| self.fault(&error))
    }

    fn fault(&self, error: &Error) -> Fault {
        let what = format!("{} failed: {error}", self.name);
        Fault::new(what, "see to that, and copy again into an empty place: this one is refused by every server")
    }

    /// How to empty it.
    fn emptied(&self) -> String {
        match &self.file {
            Some(file) => format!("remove {0}, {0}-wal and {0}-shm", file.display()),
            None => "make the database anew: DROP DATABASE name; CREATE DATABASE name OWNER user ENCODING 'UTF8' \
                     TEMPLATE template0"
                .to_owned(),
        }
    }
}

enum Place {
    /// In this data folder.
    Sqlite(PathBuf),
    Postgres,
}

fn place(address: &str) -> Result<Place, Fault> {
    if address.starts_with("postgres://") || address.starts_with("postgresql://") {
        return Ok(Place::Postgres);
    }
    let Some(path) = address.strip_prefix("sqlite:").filter(|path| !path.is_empty()) else {
        let what = format!("{} is no place of a store", shown(address));
        return Err(Fault::new(
            what,
            "write sqlite:FOLDER with a data folder, or postgres://user:password@host/database",
        ));
    };
    let path = Path::new(path);
    Ok(Place::Sqlite(match path.file_name() {
        Some(name) if name == "wattle.sqlite" => match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        },
        _ if path.is_file() => {
            let what = format!("{} is not the file of a data folder", path.display());
            return Err(Fault::new(what, "name the folder; a backup is put into one with `wattle restore`"));
        }
        _ => path.to_owned(),
    }))
}

/// Without what may be a password.
fn shown(address: &str) -> &str {
    if address.contains("://") { "the PostgreSQL database" } else { address }
}

pub(super) fn settings(config: &Config, uri: &str) -> Result<postgres::Settings, Fault> {
    postgres::Settings::read(uri, Durability::Full, config.tls.ca_file.as_deref()).map_err(refused)
}

pub(super) fn refused(error: postgres::Unusable) -> Fault {
    Unopened { path: PathBuf::new(), error: OpenError::Postgres(error) }.into()
}

/// Does it say that it is half a copy?
pub(super) fn half(driver: &mut dyn Driver) -> Result<bool, Error> {
    Ok(driver::first(driver, statements::FACT, &[HALF.into()], |_| Ok(()))?.is_some())
}

/// A value on its way.
enum Cell {
    Null,
    Int(i64),
    Text(Box<str>),
    Blob(Box<[u8]>),
}

impl Cell {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Int(number) => Value::Int(*number),
            Self::Text(text) => Value::Text(text),
            Self::Blob(bytes) => Value::Blob(bytes),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Null | Self::Int(_) => size_of::<Self>(),
            Self::Text(text) => size_of::<Self>() + text.len(),
            Self::Blob(bytes) => size_of::<Self>() + bytes.len(),
        }
    }
}

/// Where the columns of a table's key stand in its rows.
fn places(table: &Table) -> impl Iterator<Item = usize> {
    table.key.iter().filter_map(|key| table.columns.iter().position(|(column, _)| column == key))
}

/// Copies a table, a page in each transaction, and says how many rows that were.
fn copied(
    from: &mut Side,
    to: &mut Side,
    table: &Table,
    texts: &'static Texts,
    told: &mut dyn FnMut(u64),
) -> Result<u64, Fault> {
    let types: Vec<Type> = table.columns.iter().map(|(_, holds)| *holds).collect();
    let (mut sum, mut after) = (0, Vec::new());
    loop {
        let rows = page(&mut *from.driver, &texts.first, &texts.next, &types, &after);
        let mut rows = rows.map_err(|error| from.fault(&error))?;
        add(&mut *to.driver, &texts.insert, &rows).map_err(|error| to.fault(&error))?;
        sum += rows.len() as u64;
        told(sum);
        let Some(mut last) = rows.pop() else { return Ok(sum) };
        after = places(table).map(|place| std::mem::replace(&mut last[place], Cell::Null)).collect();
    }
}

fn add(driver: &mut dyn Driver, insert: &'static str, rows: &[Vec<Cell>]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    driver.begin(Access::Writes)?;
    for row in rows {
        let values: Vec<Value<'_>> = row.iter().map(Cell::value).collect();
        driver.later(insert, &values)?;
    }
    driver.commit()?;
    driver.rest(false)
}

/// Rows behind a key, or the first ones without one; none if there are no more.
fn page(
    driver: &mut dyn Driver,
    first: &'static str,
    next: &'static str,
    types: &[Type],
    after: &[Cell],
) -> Result<Vec<Vec<Cell>>, Error> {
    let values: Vec<Value<'_>> = after.iter().map(Cell::value).collect();
    let (mut rows, mut bytes) = (Vec::new(), 0);
    driver.query(if after.is_empty() { first } else { next }, &values, &mut |row| {
        let cells = cells(row, types)?;
        bytes += cells.iter().map(Cell::bytes).sum::<usize>();
        rows.push(cells);
        Ok(bytes < PAGE_BYTES)
    })?;
    Ok(rows)
}

fn cells(row: &dyn Row, types: &[Type]) -> Result<Vec<Cell>, Error> {
    let cell = |(column, holds): (usize, &Type)| {
        Ok(match holds {
            Type::Int => row.maybe_int(column)?.map(Cell::Int),
            Type::Text => row.maybe_text(column)?.map(|text| Cell::Text(text.into())),
            Type::Blob => row.maybe_blob(column)?.map(|bytes| Cell::Blob(bytes.into())),
        }
        .unwrap_or(Cell::Null))
    };
    types.iter().enumerate().map(cell).collect()
}

//! Columns to typed values and back. A value that does not parse is a decoding error that names
//! its column: the database was changed by another hand, and the node must not go on with it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row, Sqlite, Type};
use std::error::Error;
use std::str::FromStr;

/// The value of a column as it is stored.
pub(super) fn get<'row, T>(row: &'row SqliteRow, column: &'static str) -> sqlx::Result<T>
where
    T: Decode<'row, Sqlite> + Type<Sqlite>,
{
    row.try_get(column)
}

/// A number that was stored as a 64-bit integer.
pub(super) fn number<T>(row: &SqliteRow, column: &'static str) -> sqlx::Result<T>
where
    T: TryFrom<i64>,
    T::Error: Error + Send + Sync + 'static,
{
    T::try_from(row.try_get::<i64, _>(column)?).map_err(|source| undecodable(column, source))
}

/// The same, where it may be missing.
pub(super) fn optional_number<T>(row: &SqliteRow, column: &'static str) -> sqlx::Result<Option<T>>
where
    T: TryFrom<i64>,
    T::Error: Error + Send + Sync + 'static,
{
    let stored: Option<i64> = row.try_get(column)?;
    stored
        .map(T::try_from)
        .transpose()
        .map_err(|source| undecodable(column, source))
}

/// A text that a type's own parser accepts.
pub(super) fn parsed<T>(row: &SqliteRow, column: &'static str) -> sqlx::Result<T>
where
    T: FromStr,
    T::Err: Error + Send + Sync + 'static,
{
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|source| undecodable(column, source))
}

/// A value that was stored as JSON.
pub(super) fn json<T: DeserializeOwned>(row: &SqliteRow, column: &'static str) -> sqlx::Result<T> {
    let text: &str = row.try_get(column)?;
    serde_json::from_str(text).map_err(|source| undecodable(column, source))
}

/// The same, where it may be missing.
pub(super) fn optional_json<T: DeserializeOwned>(
    row: &SqliteRow,
    column: &'static str,
) -> sqlx::Result<Option<T>> {
    let text: Option<&str> = row.try_get(column)?;
    text.map(serde_json::from_str)
        .transpose()
        .map_err(|source| undecodable(column, source))
}

/// A value whose JSON is a bare word (an enum without data, a name), stored without the quotes.
pub(super) fn word<T: DeserializeOwned>(row: &SqliteRow, column: &'static str) -> sqlx::Result<T> {
    let text: String = row.try_get(column)?;
    serde_json::from_value(serde_json::Value::String(text))
        .map_err(|source| undecodable(column, source))
}

/// A value as JSON.
pub(super) fn to_json<T: Serialize>(value: &T) -> sqlx::Result<String> {
    serde_json::to_string(value).map_err(|source| sqlx::Error::Encode(Box::new(source)))
}

/// A value whose JSON is a bare word, without the quotes.
pub(super) fn to_word<T: Serialize>(value: &T) -> sqlx::Result<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        Ok(other) => Err(sqlx::Error::Encode(
            format!("{other} is no bare word").into(),
        )),
        Err(source) => Err(sqlx::Error::Encode(Box::new(source))),
    }
}

/// A number as SQLite holds it. Beyond 2^63 nothing of ours counts.
pub(super) fn to_integer(number: u64) -> sqlx::Result<i64> {
    i64::try_from(number).map_err(|source| sqlx::Error::Encode(Box::new(source)))
}

/// A stored value that is not what it should be.
pub(super) fn undecodable(
    column: &'static str,
    source: impl Into<Box<dyn Error + Send + Sync>>,
) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: source.into(),
    }
}

//! What goes into a statement and comes out of a row.
//!
//! A visitor waits for some hundred of these with every question, so a text that goes in is borrowed,
//! and the texts of a row come out in one piece.

use super::super::{Result, StoreError};
use std::borrow::Cow;

/// What a driver puts into a statement or finds in a row.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::store) enum Value<'a> {
    Null,
    Int(i64),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u64> for Value<'_> {
    /// Instants and counts stay far below 2⁶³.
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Value<'_> {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Int(value.into())
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value.into())
    }
}

impl From<String> for Value<'_> {
    fn from(value: String) -> Self {
        Self::Text(value.into())
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value.into())
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(value.into())
    }
}

impl From<Vec<u8>> for Value<'_> {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value.into())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value<'_> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The values of a statement, each made a [`Value`].
macro_rules! args {
    ($($value:expr),* $(,)?) => { &[$($crate::store::sql::Value::from($value)),*] };
}
pub(in crate::store) use args;

/// A column of a row.
#[derive(Clone, Debug, PartialEq)]
enum Cell {
    Null,
    Int(i64),
    /// From where to where it stands in the row's texts.
    Text(usize, usize),
    Bytes(Vec<u8>),
}

/// One row of an answer; columns are counted from 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::store) struct Row {
    cells: Vec<Cell>,
    texts: String,
}

impl Row {
    /// Makes it a row of so many columns, none of which is there yet.
    pub(in crate::store) fn begin(&mut self, columns: usize) {
        self.cells.clear();
        self.cells.reserve(columns);
        self.texts.clear();
        // Enough for a message or a session without another piece.
        self.texts.reserve(256);
    }

    /// Adds a column.
    pub(in crate::store) fn push(&mut self, value: Value<'_>) {
        self.cells.push(match value {
            Value::Null => Cell::Null,
            Value::Int(int) => Cell::Int(int),
            Value::Text(text) => {
                let start = self.texts.len();
                self.texts.push_str(&text);
                Cell::Text(start, self.texts.len())
            }
            Value::Bytes(bytes) => Cell::Bytes(bytes.into_owned()),
        });
    }

    fn cell(&self, column: usize) -> &Cell {
        self.cells.get(column).unwrap_or(&Cell::Null)
    }

    /// A text that is only looked at.
    pub(in crate::store) fn str(&self, column: usize) -> Result<&str> {
        match self.cell(column) {
            Cell::Text(start, end) => self.texts.get(*start..*end),
            _ => None,
        }
        .ok_or(StoreError::Column(column))
    }

    /// A text.
    pub(in crate::store) fn text(&self, column: usize) -> Result<String> {
        self.str(column).map(str::to_owned)
    }

    /// A text or nothing.
    pub(in crate::store) fn optional_text(&self, column: usize) -> Result<Option<String>> {
        match self.cell(column) {
            Cell::Null => Ok(None),
            _ => self.text(column).map(Some),
        }
    }

    /// Bytes.
    pub(in crate::store) fn bytes(&self, column: usize) -> Result<Vec<u8>> {
        match self.cell(column) {
            Cell::Bytes(bytes) => Ok(bytes.clone()),
            _ => Err(StoreError::Column(column)),
        }
    }

    /// A number.
    pub(in crate::store) fn int(&self, column: usize) -> Result<i64> {
        match self.cell(column) {
            Cell::Int(int) => Ok(*int),
            _ => Err(StoreError::Column(column)),
        }
    }

    /// An instant or a count.
    pub(in crate::store) fn number(&self, column: usize) -> Result<u64> {
        u64::try_from(self.int(column)?).map_err(|_| StoreError::Column(column))
    }

    /// An instant or a count, or nothing.
    pub(in crate::store) fn optional_number(&self, column: usize) -> Result<Option<u64>> {
        match self.cell(column) {
            Cell::Null => Ok(None),
            _ => self.number(column).map(Some),
        }
    }

    /// A small count.
    pub(in crate::store) fn small(&self, column: usize) -> Result<u32> {
        u32::try_from(self.int(column)?).map_err(|_| StoreError::Column(column))
    }

    /// 0 or 1.
    pub(in crate::store) fn flag(&self, column: usize) -> Result<bool> {
        Ok(self.int(column)? != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Row, Value};

    #[test]
    fn columns_are_what_was_put_in_and_nothing_else() {
        let mut row = Row::default();
        row.push("what was there before".into());
        row.begin(5);
        for value in
            [Value::from("één"), "".into(), None::<&str>.into(), 7_u32.into(), vec![0, 255].into()]
        {
            row.push(value);
        }
        assert_eq!((row.str(0).unwrap(), row.text(1).unwrap().as_str()), ("één", ""));
        assert_eq!(row.optional_text(0).unwrap().as_deref(), Some("één"));
        assert_eq!((row.optional_text(2).unwrap(), row.optional_number(2).unwrap()), (None, None));
        assert_eq!((row.small(3).unwrap(), row.flag(3).unwrap()), (7, true));
        assert_eq!(row.bytes(4).unwrap(), [0, 255]);
        for column in [2, 3, 4, 5] {
            assert!(row.str(column).is_err(), "{column}");
        }
        assert!(row.int(0).is_err() && row.bytes(0).is_err() && row.optional_text(3).is_err());
    }
}

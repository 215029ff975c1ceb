//! Memory-limited JSON parsing: a mebibyte of text could take thirty times as much as values.

use std::cell::Cell;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Longer than every list allowed by the document; a list of this length is invalid, like any longer one.
pub const LONGEST_LIST: usize = 501;
/// More members than any object in the document has.
const MOST_MEMBERS: usize = 1_000;
/// More values than any valid body has.
pub const MOST_VALUES: usize = 100_000;

/// Errors of parsing.
pub enum Unread {
    /// It is not JSON.
    Malformed(serde_json::Error),
    /// It has more than [`MOST_VALUES`] values.
    TooMany,
}

/// Parses a text. Lists end with item [`LONGEST_LIST`], objects with their thousandth member: longer ones are
/// refused in any case.
pub fn parse(text: &str) -> Result<Value, Unread> {
    let left = Cell::new(MOST_VALUES);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value =
        Kept(&left).deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    value.map_err(
        |error| if left.get() == 0 && error.is_data() { Unread::TooMany } else { Unread::Malformed(error) },
    )
}

/// Keeps values until the limit is reached.
#[derive(Clone, Copy)]
struct Kept<'a>(&'a Cell<usize>);

impl<'de> DeserializeSeed<'de> for Kept<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let Some(left) = self.0.get().checked_sub(1) else { return Err(D::Error::custom("too many values")) };
        self.0.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Kept<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut kept = Vec::new();
        while kept.len() < LONGEST_LIST {
            let Some(item) = items.next_element_seed(self)? else { return Ok(kept.into()) };
            kept.push(item);
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(kept.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut kept = Map::new();
        while kept.len() < MOST_MEMBERS {
            let Some(name) = members.next_key::<String>()? else { return Ok(kept.into()) };
            kept.insert(name, members.next_value_seed(self)?);
        }
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(kept.into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_right_is_read_as_it_stands_and_what_is_endless_is_not() {
        for text in [
            r#"{"a": [1, -2, 3.5, 1e3, true, null, "x\u0000\n", {"b": {}}], "a": [18446744073709551615]}"#,
            "[]",
            "\"سنگ\"",
            " 0 ",
        ] {
            assert_eq!(parse(text).ok().unwrap(), serde_json::from_str::<Value>(text).unwrap());
        }
        for text in ["", "{", "[1,]", "{} {}", "nul", "{\"a\":1,}", &"[".repeat(500)] {
            assert!(matches!(parse(text), Err(Unread::Malformed(_))), "{text}");
        }
        let long = json!(vec![1; 10_000]).to_string();
        assert_eq!(parse(&long).ok().unwrap().as_array().unwrap().len(), LONGEST_LIST);
        assert!(
            matches!(parse(&long.replacen("1]", "1", 1)), Err(Unread::Malformed(_))),
            "what is passed over is read all the same"
        );
        let many = (0..2_000).map(|n| (n.to_string(), Value::Null)).collect::<Map<_, _>>();
        assert_eq!(parse(&json!(many).to_string()).ok().unwrap().as_object().unwrap().len(), MOST_MEMBERS);
        assert!(matches!(parse(&json!(vec![vec![1; 400]; 400]).to_string()), Err(Unread::TooMany)));
    }
}

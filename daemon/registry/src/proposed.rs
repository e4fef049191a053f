//! A change as it is stored and sent: understood, or kept as it came.
//!
//! A newer version of hwcd may write changes, or fields of changes, that this one does not know.
//! They are stored and passed on unharmed, and never applied: the node says so and stops applying
//! (see `store::state_machine`). Leaving out what is not understood would make its settings others
//! than the cluster's.

use hwc_api::change::Change;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// A change, or what can't be read as one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Proposed {
    /// Every word of it is known.
    Understood(Change),
    /// Written by a newer version.
    Foreign(Value),
}

impl<'de> Deserialize<'de> for Proposed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let told = Value::deserialize(deserializer)?;
        let Ok(change) = Change::deserialize(&told) else {
            return Ok(Self::Foreign(told));
        };
        match serde_json::to_value(&change) {
            Ok(again) if says_all(&again, &told) => Ok(Self::Understood(change)),
            Ok(_) | Err(_) => Ok(Self::Foreign(told)),
        }
    }
}

/// Whether everything that was told is said again. What an older version did not tell may be added.
fn says_all(again: &Value, told: &Value) -> bool {
    match (again, told) {
        (Value::Object(again), Value::Object(told)) => told.iter().all(|(key, told)| {
            let again = again.get(key);
            again.map_or(told.is_null(), |again| says_all(again, told))
        }),
        (Value::Array(again), Value::Array(told)) => {
            again.len() == told.len()
                && again
                    .iter()
                    .zip(told)
                    .all(|(again, told)| says_all(again, told))
        }
        _ => again == told,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::everything;

    fn read(json: &str) -> Proposed {
        serde_json::from_str(json).expect("JSON")
    }

    #[test]
    fn every_change_of_this_version_is_understood() {
        for change in everything() {
            let json = serde_json::to_string(&change).expect("JSON");
            assert_eq!(read(&json), Proposed::Understood(change));
        }
    }

    #[test]
    fn what_a_newer_version_wrote_is_kept_as_it_came() {
        for json in [
            r#"{"change":"paint-node","node":1,"colour":"blue"}"#,
            r#"{"change":"remove-node","node":1,"kindly":true}"#,
            r#"{"change":"remove-node","node":"one"}"#,
            r#"{"change":"set-services","node":1,"switched_off":["dancing"]}"#,
            r#"["no","change"]"#,
        ] {
            let proposed = read(json);
            assert!(matches!(proposed, Proposed::Foreign(_)), "{proposed:?}");
            let again = serde_json::to_value(&proposed).expect("JSON");
            let told: Value = serde_json::from_str(json).expect("JSON");
            assert_eq!(again, told);
        }
    }

    #[test]
    fn an_absent_optional_field_is_no_stranger() {
        let proposed = read(r#"{"change":"set-app","site":1,"app":null}"#);
        assert!(matches!(proposed, Proposed::Understood(_)), "{proposed:?}");
        let proposed = read(r#"{"change":"set-app","site":1}"#);
        assert!(matches!(proposed, Proposed::Understood(_)), "{proposed:?}");
    }
}

//! JSON Schema of the config format: for editors, and for finding unknown keys.

use serde_json::Value;

use crate::config::wire::ConfigFile;

/// JSON Schema of a config file: point an editor at it with `#:schema FILE` in the first line.
pub fn config_schema() -> Value {
    let mut schema = schemars::schema_for!(ConfigFile).to_value();
    remove_null(&mut schema);
    schema
}

/// TOML has no null, so a key that may be absent may still not be null.
fn remove_null(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            object.retain(|key, value| !(key == "default" && value.is_null()));
            if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
                choices.retain(|choice| choice["type"] != "null");
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    object.remove("anyOf");
                    object.extend(only);
                }
            }
            object.values_mut().for_each(remove_null);
        }
        Value::Array(values) => values.iter_mut().for_each(remove_null),
        _ => {}
    }
}

//! Templates of the catalogue, filled in: each value is written as the format wants it, an unknown
//! value is an error.

use crate::apps::catalogue::Format;
use crate::escape::php;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};

/// Fills in a template.
///
/// # Errors
/// When it names an unknown value, or a value can't be written in this format.
pub(crate) fn fill(template: &str, format: Format, values: &Value) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_formatter(move |output, _state, value| {
        let cannot = |reason: String| Error::new(ErrorKind::BadSerialization, reason);
        let Some(text) = value.as_str() else {
            return Err(cannot("the value is not a text, or unknown".into()));
        };
        match format {
            Format::Php => {
                let literal = php::literal(text).map_err(|error| cannot(error.to_string()))?;
                output.write_str(&literal).map_err(Error::from)
            }
            Format::Plain => Err(cannot("a plain file has no values".into())),
        }
    });
    let mut filled = environment.render_str(template, values)?;
    // The engine takes the last line break away.
    if template.ends_with('\n') {
        filled.push('\n');
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::context;

    #[test]
    fn values_become_literals_and_nothing_else_passes() {
        let values = context! { title => "a'; exit; //", count => 3 };
        let filled = fill("<?php $t = {{ title }};\n", Format::Php, &values);
        assert_eq!(filled.expect("filled"), "<?php $t = 'a\\'; exit; //';\n");
        for bad in ["{{ nothing }}", "{{ count }}", "{{ title.x }}"] {
            assert!(fill(bad, Format::Php, &values).is_err(), "{bad}");
        }
        assert!(fill("{{ title }}", Format::Plain, &values).is_err());
        let plain = fill("RewriteEngine On\n", Format::Plain, &values);
        assert_eq!(plain.expect("as it is"), "RewriteEngine On\n");
        let newline = context! { title => "a\nb" };
        assert!(fill("{{ title }}", Format::Php, &newline).is_err());
    }
}

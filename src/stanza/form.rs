//! A submitted data form (XEP-0004), as its fields and their values.

use super::{Condition, StanzaError};
use crate::xml::Element;

/// XEP-0004.
pub const DATA: &str = "jabber:x:data";

/// The fields of a submitted form in their order, `FORM_TYPE` (XEP-0068) left out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Form {
    /// Names, each once, with their values.
    pub fields: Vec<(Box<str>, Vec<Box<str>>)>,
}

impl Form {
    /// Reads the form of this type that `parent` holds; none if it holds no form.
    ///
    /// # Errors
    /// `bad-request` for a form that is not submitted or of another type, and for fields without a name or with one that
    /// another field has.
    pub fn submitted(parent: &Element, form_type: &str) -> Result<Option<Self>, StanzaError> {
        let Some(x) = parent.child("x", DATA) else { return Ok(None) };
        let wrong = |text| StanzaError::new(Condition::BadRequest, text);
        if x.attr("type") != Some("submit") {
            return Err(wrong("the form must be of type submit"));
        }
        let mut fields: Vec<(Box<str>, Vec<Box<str>>)> = Vec::new();
        for field in x.elements().filter(|field| field.is("field", DATA)) {
            let name = field.attr("var").ok_or(wrong("a field has no var"))?;
            if fields.iter().any(|(known, _)| **known == *name) {
                return Err(wrong("two fields have the same var"));
            }
            let values = field.elements().filter(|value| value.is("value", DATA)).map(|value| value.text().into());
            fields.push((name.into(), values.collect()));
        }
        let Some(at) = fields.iter().position(|(name, _)| **name == *"FORM_TYPE") else {
            return Err(wrong("the form has no FORM_TYPE"));
        };
        let (_, types) = fields.remove(at);
        if types.len() != 1 || *types[0] != *form_type {
            return Err(wrong("the form has another FORM_TYPE"));
        }
        Ok(Some(Self { fields }))
    }
}

/// The value of a field that has at most one; none for an empty one (XEP-0004 section 3.2).
///
/// # Errors
/// `bad-request` for more than one.
pub fn single(values: &[Box<str>]) -> Result<Option<&str>, StanzaError> {
    match values {
        [] => Ok(None),
        [value] => Ok(Some(&**value).filter(|value| !value.is_empty())),
        _ => Err(StanzaError::new(Condition::BadRequest, "a field has more than one value")),
    }
}

//! What a node means: its tag, if it has one, and the core schema.

use granit_parser::Tag;

use super::reader::{Place, Reader};
use super::refusal::BEYOND_JSON;
use super::scalar::{self, Scalar};
use crate::sheet::fault::Said;
use crate::sheet::tree::Data;
use crate::visible::shortened;

impl Reader<'_, '_> {
    pub(super) fn resolve(
        &mut self,
        text: &str,
        plain: bool,
        tag: Option<&Tag>,
        place: &Place,
    ) -> Data {
        if self.foreign_tag(tag, place) {
            return Data::Refused;
        }
        let meaning = match (tag.and_then(Tag::core_suffix), tag, plain) {
            (Some("str"), ..) | (None, Some(_), _) | (None, None, false) => Scalar::Text,
            (Some(wanted), ..) => match scalar::resolve(text) {
                meaning if fits(wanted, &meaning) => meaning,
                _ => {
                    let said = Said::new(format!("`{}` is no !!{wanted}", shortened(text, 40)))
                        .help("remove the tag, or write a value of that type");
                    self.error(&place.node, said);
                    return Data::Refused;
                }
            },
            (None, None, true) => scalar::resolve(text),
        };
        match meaning {
            Scalar::Null => Data::Null,
            Scalar::Bool(flag) => Data::Bool(flag),
            Scalar::Number(number) => Data::Number(number),
            Scalar::Text => Data::Text(text.to_owned()),
            Scalar::BeyondJson => {
                let help = format!("write it in quotes: \"{}\"", shortened(text, 40));
                self.error(&place.node, Said::new(BEYOND_JSON).help(help));
                Data::Refused
            }
        }
    }

    pub(super) fn refuses_tag(&mut self, tag: Option<&Tag>, wanted: &str, place: &Place) -> bool {
        if self.foreign_tag(tag, place) {
            return true;
        }
        let Some(found) = tag.and_then(Tag::core_suffix).filter(|&found| found != wanted) else {
            return false;
        };
        let said = Said::new(format!("this is no !!{found}")).help("remove the tag");
        self.error(place.tag.as_ref().unwrap_or(&place.node), said);
        true
    }

    pub(super) fn foreign_tag(&mut self, tag: Option<&Tag>, place: &Place) -> bool {
        let Some(tag) = tag else { return false };
        if tag.core_suffix().is_some() || tag.original() == "!" {
            return false;
        }
        let message = format!("the tag `{}` is not allowed", shortened(&tag.original(), 80));
        let said = Said::new(message).help("a fact sheet holds plain data: remove the tag");
        self.error(place.tag.as_ref().unwrap_or(&place.node), said);
        true
    }
}

/// Whether a value of this meaning may carry the core tag `wanted`.
fn fits(wanted: &str, meaning: &Scalar) -> bool {
    match meaning {
        Scalar::Null => wanted == "null",
        Scalar::Bool(_) => wanted == "bool",
        Scalar::Number(number) => wanted == "float" || (wanted == "int" && !number.is_f64()),
        Scalar::BeyondJson => matches!(wanted, "int" | "float"),
        Scalar::Text => false,
    }
}

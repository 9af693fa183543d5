//! SafeNet (Aladdin) XML, as it came with eToken PASS: `Tokens/Token@serial`, in it `Applications/Application` with `Seed`
//! (hexadecimal) and `MovingFactor`. Event-based tokens alone were delivered so.

use crate::seed_files::characters;
use crate::seed_files::offer::Stated;
use crate::seed_files::options::{Encoding, KindName, Options};
use crate::seed_files::record::{self, Fields, Record, children, text_of};
use crate::seed_files::rejection::Rejection;
use crate::seed_files::seed_encoding::decode;
use crate::seed_files::xml::Element;

/// Its elements and their meanings.
pub(super) const PARTS: [(&str, &str); 4] = [
    ("Token serial", "serial number"),
    ("Application/Seed", "secret"),
    ("Application/MovingFactor", "counter"),
    ("ProductName", "model"),
];

/// The members of a token and an application that are read, or say nothing about codes.
const TOKEN: [&str; 6] = ["serial", "CaseModel", "Model", "ProductionDate", "ProductName", "Applications"];
const APPLICATION: [&str; 3] = ["ConnectorID", "Seed", "MovingFactor"];

/// The tokens of a document that is known to be well-formed.
pub(super) fn records<'t>(text: &'t str, options: &'t Options) -> impl Iterator<Item = Record> + 't {
    children(text, "").filter(|child| child.element.is("Token")).map(|child| {
        let token = &child.element;
        let several = |element: &Element, name| element.children_named(name).nth(1).is_some();
        let inside = token.child("Applications");
        let twice = several(token, "Applications")
            || inside.is_some_and(|inside| several(inside, "Application"))
            || token.at(&["Applications", "Application"]).is_some_and(|application| several(application, "Seed"));
        if twice {
            return Fields::unreadable(Rejection::Twice).record(child.line, child.start..child.end, options);
        }
        let application = token.at(&["Applications", "Application"]);
        let seed = application.and_then(|application| text_of(application, "Seed"));
        let counter = application.and_then(|application| text_of(application, "MovingFactor"));
        let fields = Fields {
            serial: token.attribute("serial").unwrap_or_default().as_bytes(),
            secret: seed
                .ok_or(Rejection::SecretMissing)
                .and_then(|seed| decode(seed.as_bytes(), options.encoding.unwrap_or(Encoding::Hex))),
            stated: counter.map(record::counter).transpose().map(|counter| Stated {
                kind: Some(KindName::Hotp),
                counter,
                ..Stated::default()
            }),
            vendor: Some("SafeNet".to_owned()),
            model: text_of(token, "ProductName").map(|name| characters::words(name.as_bytes())),
        };
        let mut unknown = record::unknown_parts(token, &TOKEN);
        unknown.extend(application.into_iter().flat_map(|inside| record::unknown_parts(inside, &APPLICATION)));
        fields.record_beside(unknown, child.line, child.start..child.end, options)
    })
}

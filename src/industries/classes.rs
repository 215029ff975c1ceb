//! The classes of ISIC Rev. 4 that clusters and enterprises work in.

use sea_orm::sea_query::SimpleExpr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{IsicClass, IsicCode, prefixes_of};
use crate::{
    problem::{Text, Violation},
    store::{Record, search},
    values::List,
};

/// A class of ISIC that a cluster or an enterprise works in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Isic {
    /// The class.
    pub code: IsicClass,
    /// Whether it is the primary class. If none is marked, it is the first.
    #[serde(default)]
    #[schema(example = true)]
    pub primary: bool,
}

impl List<Isic> {
    /// Puts the primary class first: the marked one, otherwise the first. Violations if a class is there
    /// twice, or several are primary.
    pub fn put_primary_first(&mut self) -> Vec<Violation> {
        let (classes, mut faults) = (&mut self.0, Vec::new());
        for (index, class) in classes.iter().enumerate() {
            if classes[..index].iter().any(|earlier| earlier.code == class.code) {
                faults.push(Violation::body(
                    format!("/isic/{index}/code"),
                    "repeated_items",
                    Text::new("این رشته دو بار آمده است.", "This class is given twice."),
                ));
            }
            if class.primary && classes[..index].iter().any(|earlier| earlier.primary) {
                faults.push(Violation::body(
                    format!("/isic/{index}/primary"),
                    "several_primary",
                    Text::new("تنها یک رشته می‌تواند اصلی باشد.", "Only one class can be primary."),
                ));
            }
        }
        let primary = classes.iter().position(|class| class.primary).unwrap_or(0);
        if let Some(first) = classes.get_mut(primary) {
            first.primary = true;
            classes[..=primary].rotate_right(1);
        }
        faults
    }

    /// The code of the primary class.
    pub fn primary(&self) -> String {
        self.0.first().map(|class| class.code.0.clone()).unwrap_or_default()
    }

    /// The terms that [`works_in`] finds a record by.
    pub fn terms(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.0.iter().map(|class| (ISIC, class.code.0.clone()))
    }
}

const ISIC: &str = "isic";

/// The condition that a record works in one of these industries, of any level of ISIC.
pub fn works_in<R: Record>(codes: &[IsicCode]) -> SimpleExpr {
    search::has_prefix::<R>(ISIC, &prefixes_of(codes))
}

//! People of a project: CDAs, supervisors, partners.

use chrono::{NaiveDate, TimeDelta};

use super::{generator::Generator, institutions::Leader, projects::Project};
use khoosheh::{
    persian::Date,
    problem::Problem,
    projects::{
        assignments::{self, Role},
        partners,
        supervisions::{self, Kind},
    },
};

/// Roles of partners.
const PARTS: &[&str] = &["آزمایشگاه مشترک", "تأمین مالی", "آموزش", "مشاوره"];

/// A CDA works in a project as something, from a day to another.
type Stretch = (Leader, Role, NaiveDate, Option<NaiveDate>);

impl Project<'_> {
    /// Assigns one lead at a time; returns the names of the CDAs.
    pub fn assign(&mut self, generator: &mut Generator, contract: &str) -> Result<Vec<String>, Problem> {
        let (from, over) = (self.timeline.contracted, self.timeline.over());
        let first = self.place.leader(generator, from);
        let changed = self.timeline.start + (self.timeline.contract_end - self.timeline.start) / 2;
        let is_changed = generator.rng.percent(12) && self.timeline.has_happened(changed);
        let mut stretches: Vec<Stretch> =
            vec![(first, Role::Lead, from, if is_changed { Some(changed) } else { over })];
        if is_changed {
            let second = self.place.leader(generator, from);
            stretches.push((second, Role::Lead, changed + TimeDelta::days(1), over));
        }
        if generator.rng.percent(20) {
            stretches.push((self.place.leader(generator, from), Role::Assistant, from, over));
        }
        let mut names = Vec::new();
        for (index, (cda, role, valid_from, valid_to)) in stretches.into_iter().enumerate() {
            if !self.timeline.has_happened(valid_from) {
                continue;
            }
            let row = assignments::Model {
                project_id: self.row.id,
                province: self.row.province.clone(),
                cda_id: cda.id,
                role,
                valid_from: valid_from.into(),
                contract_no: Some(format!("{contract}-{}", index + 1)),
                ..Default::default()
            };
            names.push(cda.name);
            let mut row = generator.learn(row, valid_from, 1..=20, self.row.created_at)?;
            if let Some(end) = valid_to.filter(|end| self.timeline.has_happened(*end)) {
                row.valid_to = Some(end.max(valid_from).into());
                row.end_reason = Some("پایان قرارداد".to_owned());
                let at = generator.learned(end, 0..=5, row.updated_at);
                generator.change(&mut row, at)?;
            }
            generator.keep(row);
        }
        Ok(names)
    }

    /// Adds a supervisor who is not one of the CDAs.
    pub fn supervise(
        &mut self,
        generator: &mut Generator,
        contract: &str,
        cdas: &[String],
    ) -> Result<(), Problem> {
        let from = self.timeline.contracted;
        for kind in
            [Some(Kind::Technical), generator.rng.percent(25).then_some(Kind::Senior)].into_iter().flatten()
        {
            let organisation = generator.rng.percent(40).then(|| *generator.rng.pick(&self.place.helpers));
            let person = (0..20).map(|_| generator.name()).find(|name| !cdas.contains(name));
            let row = supervisions::Model {
                project_id: self.row.id,
                province: self.row.province.clone(),
                kind,
                organisation_id: organisation,
                person_name: person.filter(|_| organisation.is_none()),
                valid_from: from.into(),
                valid_to: (self.timeline.over().filter(|end| self.timeline.has_happened(*end)))
                    .map(Date::from),
                contract_no: Some(format!("{contract}-ن")),
                ..Default::default()
            };
            generator.tell(row, from, 1..=25, self.row.created_at)?;
        }
        Ok(())
    }

    /// One or two partners.
    pub fn join(&self, generator: &mut Generator) -> Result<(), Problem> {
        for _ in 0..generator.rng.between(1..=2) {
            let partner = partners::Model {
                project_id: self.row.id,
                province: self.row.province.clone(),
                organisation_id: *generator.rng.pick(&self.place.helpers),
                role: (*generator.rng.pick(PARTS)).to_owned(),
                ..Default::default()
            };
            generator.tell(partner, self.timeline.contracted, 5..=60, self.row.created_at)?;
        }
        Ok(())
    }
}

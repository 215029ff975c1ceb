//! A table of states as readers see it: in the OpenAPI document, and as a diagram and a table in
//! `docs/states.md`.

use super::{State, Stateful, Step};

/// The rules of one kind of record, in words.
pub struct Machine {
    /// Name of the record type in both languages, such as `Project (پروژه)`.
    pub title: &'static str,
    /// The path of the transitions, such as `/projects/{id}/transitions`.
    pub path: &'static str,
    first: String,
    steps: Vec<Rule>,
}

struct Rule {
    from: Vec<String>,
    to: String,
    who: String,
    needs: Vec<&'static str>,
    guards: Vec<(&'static str, &'static str, &'static str)>,
}

impl Machine {
    /// The rules of a kind of record.
    pub fn of<R: Stateful>(title: &'static str, path: &'static str) -> Self {
        Self {
            title,
            path,
            first: R::State::default().name(),
            steps: R::STEPS.iter().map(Rule::of).collect(),
        }
    }

    /// A paragraph and a table for the description of the operation.
    pub fn describe(&self) -> String {
        let mut text = "A transition that is refused (409, `requirements_missing`) names everything that it lacks in `missing`.\n\n".to_owned();
        text.push_str("| from | to | who | the request carries | refused while |\n|---|---|---|---|---|\n");
        for rule in &self.steps {
            let guards =
                rule.guards.iter().map(|(code, ..)| format!("`{code}`")).collect::<Vec<_>>().join(", ");
            let needs = rule.needs.iter().map(|need| format!("`{need}`")).collect::<Vec<_>>().join(", ");
            text.push_str(&format!(
                "| {} | {} | {} | {needs} | {guards} |\n",
                rule.from.join(", "),
                rule.to,
                rule.who
            ));
        }
        text
    }

    /// A section of `docs/states.md`: the diagram (Mermaid), the table, and the message of each guard.
    pub fn document(&self) -> String {
        let mut text = format!(
            "## {}\n\n`POST /api/v1{}`\n\n```mermaid\nstateDiagram-v2\n    [*] --> {}\n",
            self.title, self.path, self.first
        );
        for rule in &self.steps {
            for from in &rule.from {
                text.push_str(&format!("    {from} --> {}\n", rule.to));
            }
        }
        text.push_str("```\n\n");
        text.push_str(&self.describe());
        let mut guards: Vec<_> = self.steps.iter().flat_map(|rule| &rule.guards).collect();
        guards.sort_unstable();
        guards.dedup();
        if !guards.is_empty() {
            text.push_str("\n| missing | what it says | پیام |\n|---|---|---|\n");
        }
        for (code, en, fa) in guards {
            text.push_str(&format!("| `{code}` | {en} | {fa} |\n"));
        }
        text
    }
}

impl Rule {
    fn of<R: Stateful>(step: &Step<R>) -> Self {
        Self {
            from: step.from.iter().map(|state| state.name()).collect(),
            to: step.to.name(),
            who: step.who.describe(),
            needs: step.needs.iter().map(|need| need.field()).collect(),
            guards: step.guards.iter().map(|guard| (guard.code, guard.en, guard.fa)).collect(),
        }
    }
}

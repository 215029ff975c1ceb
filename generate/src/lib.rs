//! Generated large data set: plausible, consistent, and reproducible by its seed. It shows the service with
//! the data of a whole country. All of it is fictitious.
//!
//! A [`generator::Generator`] generates each province: its institutions and CDAs ([`institutions`]), its
//! clusters one after another ([`clusters`], [`outcomes`]) with their projects ([`projects`], [`people`],
//! [`plan`], [`milestones`], [`course`]), and the other firms of its register ([`register`]). It writes
//! histories as the service would have written them, but does not validate its rules.

mod clusters;
mod generator;
mod institutions;
mod milestones;
mod outcomes;
mod people;
mod plan;
mod projects;
mod register;
mod rng;
mod schedule;
mod sizes;
mod timeline;
mod vocabulary;
mod works;

use std::io::Write as _;

use chrono::NaiveDate;
use sea_orm::{EntityTrait, PaginatorTrait};
use tokio::sync::mpsc;

pub use self::generator::Counts;
use self::{
    generator::{Generator, Known},
    sizes::Sizes,
};
use khoosheh::{
    clusters::entity,
    problem::Problem,
    store::{Database, bulk::Bulk, connection, earned_value::summary},
};

/// Approximate number of rows per transaction.
const BATCH: usize = 20_000;

/// Parameters of the generation.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Size: 1.0 is the whole country, with 3,000 clusters, 20,000 projects and a million milestones.
    pub scale: f64,
    /// Random seed: the same seed gives the same data.
    pub seed: u64,
    /// Everything has happened before this day.
    pub today: NaiveDate,
}

/// Whether a database contains clusters, even deleted ones: then no data may be generated.
pub async fn is_in_use(db: &Database) -> Result<bool, Problem> {
    Ok(entity::Entity::find().count(db).await? > 0)
}

/// Generates the data and writes it, one province after another. Generation runs on a thread of its own while
/// the previous data is being written. Reports the progress on standard error.
pub async fn fill(db: &Database, plan: Plan) -> Result<Counts, Problem> {
    let known = Known::read(db).await?;
    let (sender, mut receiver) = mpsc::channel(2);
    let telling = tokio::task::spawn_blocking(move || tell(plan, known, &sender));
    let (mut counts, mut written) = (Counts::new(), 0);
    while let Some(Told { province, bulk }) = receiver.recv().await {
        written += bulk.len();
        bulk.counts().for_each(|(table, count)| *counts.entry(table).or_default() += count);
        bulk.write(db).await?;
        // Standard error may be closed.
        let _ = writeln!(std::io::stderr(), "{province}: {written} rows");
    }
    let known = telling.await.map_err(Problem::internal)??;
    known.counters.write(&db.writes()).await?;
    summary::rebuild(db).await?;
    connection::refresh_statistics(db).await?;
    Ok(counts)
}

/// Generated data of a province.
struct Told {
    province: &'static str,
    bulk: Bulk,
}

/// Tells the story of the whole country.
fn tell(plan: Plan, known: Known, sender: &mpsc::Sender<Told>) -> Result<Known, Problem> {
    let mut generator = Generator::new(plan.seed, plan.today, known);
    for (province, size) in khoosheh::provinces::ALL.iter().zip(Sizes::of_provinces(plan.scale)) {
        let hand_over = |generator: &mut Generator| {
            let told = Told { province: province.name_en.as_str(), bulk: generator.hand_over() };
            sender.blocking_send(told).map_err(|_| Problem::internal("what is told cannot be written"))
        };
        let place = institutions::tell(&mut generator, province, &size)?;
        let mut story = clusters::Story::begin(&place, &size);
        while story.go_on(&mut generator)? {
            if generator.told() > BATCH {
                hand_over(&mut generator)?;
            }
        }
        let mut left = size.enterprises.saturating_sub(story.enrolled());
        while left > 0 {
            left -= register::tell(&mut generator, &place, left.min(2_000))?;
            if generator.told() > BATCH {
                hand_over(&mut generator)?;
            }
        }
        hand_over(&mut generator)?;
    }
    Ok(generator.known)
}

//! Change feed, by which other systems synchronize with this one.

mod cursor;
pub mod kinds;

use std::time::Duration;

use actix_web::{get, web};
use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr, prelude::Uuid};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};

pub use self::cursor::CursorKey;
use self::{
    cursor::{Cursor, Place},
    kinds::{KINDS, Kind},
};
use crate::{
    accounts::account,
    http::{Answer, CurrentCaller, Database, Query, Routes, Shape, Shutdown, render::digest},
    problem::{Problem, problem_types},
    store::{
        change_log::{self, ChangeKind, Shown},
        feed::{self, Followed, Present, Seen},
    },
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(list_changes);
}

/// Polling interval of waiting requests.
const PAUSE: Duration = Duration::from_millis(500);

/// Position and options of a feed request.
#[derive(Debug, Deserialize, IntoParams)]
pub struct Following {
    /// The `next_cursor` of the previous answer. Without it the feed begins with the first change ever.
    #[param(max_length = 5_000, pattern = "^[A-Za-z0-9_-]+$")]
    pub since: Option<String>,
    /// Begin with all current records instead of changes: the first request of a new client. Continue with
    /// `next_cursor` as `since`.
    #[serde(default)]
    #[param(default = false)]
    pub snapshot: bool,
    /// Only these kinds of records. Must be the same in all requests that continue from a cursor.
    #[param(inline, style = Form, explode = false, min_items = 1, max_items = 30)]
    pub resource: Option<Vec<Kind>>,
    /// Maximum number of changes.
    #[param(minimum = 1, maximum = 1000, default = 200)]
    pub page_size: Option<u64>,
    /// Seconds to wait for a change if there is none (long poll).
    #[param(minimum = 0, maximum = 25, default = 0)]
    pub wait: Option<u64>,
}

/// Changes in order: each comes after those it depends on.
#[derive(Debug, Serialize, ToSchema)]
pub struct Changes {
    /// The changes.
    items: Vec<Change>,
    /// Value of `since` for the next request. Store it together with the changes, in one transaction.
    #[schema(max_length = 5_000)]
    next_cursor: String,
    /// Whether more changes are available at once.
    has_more: bool,
}

/// Change of a record.
#[derive(Debug, Serialize, ToSchema)]
pub struct Change {
    /// Kind of the record.
    pub resource: Kind,
    /// The record.
    pub id: Uuid,
    /// The version that the change made.
    #[schema(minimum = 1, example = 3)]
    pub version: i64,
    /// Kind of the change.
    pub kind: FeedEventKind,
    /// Time of the change.
    pub changed_at: DateTime<Utc>,
    /// Account of the author; null for the service itself, and if the record no longer exists for the caller.
    #[schema(required)]
    pub changed_by: Option<Uuid>,
    /// Current name of that account.
    #[schema(required, example = "مدیر خوشه‌های لرستان")]
    pub changed_by_name: Option<String>,
    /// The record with all its own fields, without fields derived from other records (such as progress); null
    /// if it is gone.
    #[schema(required, value_type = Option<std::collections::BTreeMap<String, serde_json::Value>>, example = json!({"name_fa": "سنگ", "province": "IR-15"}))]
    data: Option<Shown>,
}

/// Kinds of changes in the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Fate)]
pub enum FeedEventKind {
    /// It is new, or changed: store `data`.
    Upsert,
    /// It was deleted: remove it.
    Deleted,
    /// It no longer exists for the caller, because it now belongs to another province: remove it.
    OutOfScope,
}

impl Change {
    /// Feed event of a log entry; `is_within` says whether the record still exists for the follower. None if
    /// its kind is not in the feed.
    pub fn new(entry: change_log::Model, is_within: bool) -> Option<Self> {
        let kind = KINDS.iter().find(|kind| kind.resource == entry.resource)?;
        let event_kind = match (is_within, entry.kind) {
            (false, _) => FeedEventKind::OutOfScope,
            (true, ChangeKind::Deleted) => FeedEventKind::Deleted,
            (true, _) => FeedEventKind::Upsert,
        };
        Some(Self {
            resource: kind.kind,
            id: entry.record_id,
            version: entry.version,
            kind: event_kind,
            changed_at: entry.changed_at,
            changed_by: Some(entry.changed_by)
                .filter(|author| event_kind != FeedEventKind::OutOfScope && !author.is_nil()),
            changed_by_name: None,
            data: (event_kind == FeedEventKind::Upsert).then(|| (kind.show)(&entry.data)),
        })
    }
}

/// Adds the names of the authors of changes.
pub async fn name_authors<'a>(
    db: &impl ConnectionTrait,
    changes: impl IntoIterator<Item = &'a mut Change>,
) -> Result<(), DbErr> {
    let changes: Vec<_> = changes.into_iter().collect();
    let names =
        account::display_names(db, changes.iter().filter_map(|change| change.changed_by).collect()).await?;
    for change in changes {
        change.changed_by_name = change.changed_by.and_then(|author| names.get(&author).cloned());
    }
    Ok(())
}

/// A page of the feed.
struct Step {
    items: Vec<Change>,
    has_more: bool,
}

/// Followed kinds and scope of a caller.
struct Follower<'a> {
    kinds: Vec<&'static kinds::Entry>,
    followed: Followed<'a>,
    question: String,
    limit: usize,
}

impl<'a> Follower<'a> {
    fn new(following: &Following, caller: &'a CurrentCaller) -> Result<Self, Problem> {
        let may = |kind: &&kinds::Entry| caller.may(kind.permission);
        let kinds: Vec<_> = match &following.resource {
            Some(asked) => KINDS.iter().filter(|kind| asked.contains(&kind.kind)).collect(),
            None => KINDS.iter().filter(may).collect(),
        };
        if !kinds.iter().all(may) {
            return Err(Problem::new(&problem_types::FORBIDDEN));
        }
        let names = |is_wanted: fn(&kinds::Entry) -> bool| {
            kinds.iter().filter(|kind| is_wanted(kind)).map(|kind| kind.resource).collect::<Vec<_>>()
        };
        let followed = Followed {
            kinds: names(|_| true),
            shared: names(|kind| kind.is_shared),
            province: caller.scope.province(),
        };
        let question = digest(&format!("{:?} {:?}", followed.kinds, followed.province));
        Ok(Self { kinds, followed, question, limit: following.page_size.map_or(200, |size| size as usize) })
    }

    /// 410 if a cursor belongs to another question, or the log has lost what it has seen.
    async fn check(&self, cursor: &Cursor, lineage: &str, db: &impl ConnectionTrait) -> Result<(), Problem> {
        let is_ours = cursor.lineage == lineage && cursor.question == self.question;
        if is_ours && feed::trace(db, cursor.place.seen()).await? == cursor.trace {
            return Ok(());
        }
        Err(Problem::new(&problem_types::RESYNC_REQUIRED))
    }

    /// The next changes after a place, and the new place of the follower.
    async fn next(
        &self,
        place: Option<&Place>,
        is_snapshot: bool,
        present: &Seen,
        db: &impl ConnectionTrait,
    ) -> Result<(Step, Place), Problem> {
        match place {
            None if is_snapshot => self.records(present, 0, Uuid::nil(), db).await,
            Some(Place::Snapshot { seen, kind, after }) => self.records(seen, *kind, *after, db).await,
            // Nothing has been written.
            Some(Place::After { seen }) if seen == present => {
                Ok((Step { items: Vec::new(), has_more: false }, Place::After { seen: seen.clone() }))
            }
            None => self.changes(None, present, None, db).await,
            Some(Place::After { seen }) => self.changes(Some(seen), present, None, db).await,
            Some(Place::Between { since, until, position }) => {
                self.changes(since.as_ref(), until, Some(*position), db).await
            }
        }
    }

    /// The cursor of a place reached from another one.
    async fn cursor(
        &self,
        place: Place,
        before: Option<Cursor>,
        lineage: String,
        db: &impl ConnectionTrait,
    ) -> Result<Cursor, Problem> {
        let trace = match before {
            Some(before) if before.place.seen() == place.seen() => before.trace,
            _ => feed::trace(db, place.seen()).await?,
        };
        Ok(Cursor { lineage, question: self.question.clone(), place, trace })
    }

    /// Records as of a moment, kind by kind: each kind comes after those it refers to.
    async fn records(
        &self,
        seen: &Seen,
        first: usize,
        after: Uuid,
        db: &impl ConnectionTrait,
    ) -> Result<(Step, Place), Problem> {
        let mut items = Vec::new();
        for (number, kind) in self.kinds.iter().enumerate().skip(first) {
            let after = if number == first { after } else { Uuid::nil() };
            let left = self.limit - items.len();
            let rows = feed::newest(db, &self.followed, seen, (kind.resource, after), left as u64).await?;
            let last = rows.last().map(|entry| entry.record_id).filter(|_| rows.len() == left);
            items.extend(rows.into_iter().filter_map(|entry| Change::new(entry, true)));
            if let Some(after) = last {
                return Ok((
                    Step { items, has_more: true },
                    Place::Snapshot { seen: seen.clone(), kind: number, after },
                ));
            }
        }
        Ok((Step { items, has_more: false }, Place::After { seen: seen.clone() }))
    }

    async fn changes(
        &self,
        since: Option<&Seen>,
        until: &Seen,
        position: Option<i64>,
        db: &impl ConnectionTrait,
    ) -> Result<(Step, Place), Problem> {
        let rows = feed::changes(db, &self.followed, (since, until), position, self.limit as u64).await?;
        let last = rows.last().map(|row| row.entry.seq).filter(|_| rows.len() == self.limit);
        let items = rows.into_iter().filter_map(|row| Change::new(row.entry, row.is_within)).collect();
        let place = match last {
            Some(position) => Place::Between { since: since.cloned(), until: until.clone(), position },
            None => Place::After { seen: until.clone() },
        };
        Ok((Step { items, has_more: last.is_some() }, place))
    }
}

/// Follow the changes
///
/// All changes since a cursor, of all records that you may read: each change once and none omitted, even with
/// concurrent writers. A change comes after those it depends on: a project after its cluster, version 3 after
/// version 2.
///
/// **Begin** with `snapshot=true`: all current records, each after those it refers to. **Continue** with
/// `since=` and the `next_cursor` of each answer, at once as long as `has_more` is true, and then whenever
/// you like; with `wait=25` the answer comes as soon as there is a change. Store cursor and data in one
/// transaction: then nothing is lost or applied twice, whenever your side or ours is interrupted.
///
/// **410** `resync_required`: the cursor is no longer usable, because your scope, permissions or `resource`
/// have changed, or because the database was restored to an earlier state or has lost its last changes. Drop
/// your data and begin with a snapshot. A cursor from before a backup, and one that has lost nothing when a
/// standby took over, remains usable.
#[utoipa::path(
    params(Following),
    responses((status = 200, body = Changes)),
    security(("oauth2" = ["changes:read"]))
)]
#[get("/changes")]
pub async fn list_changes(
    following: Query<Following>,
    caller: CurrentCaller,
    shape: Shape,
    db: Database,
    key: web::Data<CursorKey>,
    shutdown: web::Data<Shutdown>,
) -> Result<Answer, Problem> {
    let (follower, seal) = (Follower::new(&following, &caller)?, key.seal(&db).await?);
    let begun = following.since.as_deref().map(|text| seal.open(text)).transpose()?;
    let mut place = begun.as_ref().map(|cursor| cursor.place.clone());
    let mut compared: Option<Present> = None;
    let end = Instant::now() + Duration::from_secs(following.wait.unwrap_or(0));
    loop {
        let present = feed::present(db.get_ref()).await?;
        if let Some(cursor) =
            begun.as_ref().filter(|_| !compared.is_some_and(|earlier| present.is_still(&earlier)))
        {
            follower.check(cursor, &present.lineage, db.get_ref()).await?;
        }
        let (Step { mut items, has_more }, next) =
            follower.next(place.as_ref(), following.snapshot, &present.seen, db.get_ref()).await?;
        if !items.is_empty() || has_more || Instant::now() + PAUSE > end || shutdown.has_begun() {
            let cursor = follower.cursor(next, begun, present.lineage, db.get_ref()).await?;
            name_authors(db.get_ref(), &mut items).await?;
            return shape.value(&Changes { items, next_cursor: seal.close(&cursor)?, has_more });
        }
        (place, compared) = (Some(next), Some(present));
        tokio::time::sleep(PAUSE).await;
    }
}

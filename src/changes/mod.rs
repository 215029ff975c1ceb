//! The feed of changes: how other systems stay in step with this one.

mod kinds;

use std::time::Duration;

use actix_web::{get, web};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, prelude::Uuid};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use self::kinds::{KINDS, Kind};
use crate::{
    auth::CurrentCaller,
    http::{Answer, Database, Problem, Query, Shape, catalogue, shape::digest},
    operation::Shutdown,
    store::{
        change_log::{self, ChangeKind, Shown},
        feed::{self, Followed, Present, Seen},
    },
};

/// The routes of this resource.
pub fn routes(config: &mut ServiceConfig) {
    config.service(list_changes);
}

/// How often those who wait look again.
const PAUSE: Duration = Duration::from_millis(500);

/// Where to go on, and how.
#[derive(Debug, Deserialize, IntoParams)]
pub struct Following {
    /// The `next_cursor` of the answer before. Without it the feed begins with the first change that there ever was.
    #[param(max_length = 5_000, pattern = "^[A-Za-z0-9_-]+$")]
    pub since: Option<String>,
    /// Begin with all records as they are now, instead of with changes: the first answer to a new client. Follow `next_cursor` with `since`.
    #[serde(default)]
    #[param(default = false)]
    pub snapshot: bool,
    /// Only these kinds of records. The same in each request that goes on from a cursor.
    #[param(inline, style = Form, explode = false, min_items = 1, max_items = 30)]
    pub resource: Option<Vec<Kind>>,
    /// So many changes at the most.
    #[param(minimum = 1, maximum = 1000, default = 200)]
    pub page_size: Option<u64>,
    /// Where nothing has changed, wait so many seconds for a change (long poll).
    #[param(minimum = 0, maximum = 25, default = 0)]
    pub wait: Option<u64>,
}

/// Changes, in an order in which none comes before one that it builds on.
#[derive(Debug, Serialize, ToSchema)]
pub struct Changes {
    /// The changes.
    items: Vec<Change>,
    /// What to send as `since` to go on. Keep it together with what you made of the changes, in one transaction.
    #[schema(max_length = 5_000)]
    next_cursor: String,
    /// Whether there is more at once.
    has_more: bool,
}

/// What has become of a record.
#[derive(Debug, Serialize, ToSchema)]
pub struct Change {
    /// Which kind of record.
    resource: Kind,
    /// The record.
    id: Uuid,
    /// The version that the change made.
    #[schema(minimum = 1, example = 3)]
    version: i64,
    /// What became of it.
    kind: Fate,
    /// When.
    changed_at: DateTime<Utc>,
    /// The record with all its own fields, without what follows from other records (such as progress); null where it is gone.
    #[schema(required, value_type = Option<std::collections::BTreeMap<String, serde_json::Value>>, example = json!({"name_fa": "سنگ", "province": "IR-15"}))]
    data: Option<Shown>,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is new, or changed: keep `data`.
    Upsert,
    /// It was deleted: drop it.
    Deleted,
    /// It does not exist for the caller any more, as it belongs to another province now: drop it.
    OutOfScope,
}

impl Change {
    fn new(entry: change_log::Model, is_within: bool) -> Option<Self> {
        let kind = KINDS.iter().find(|kind| kind.resource == entry.resource)?;
        let fate = match (is_within, entry.kind) {
            (false, _) => Fate::OutOfScope,
            (true, ChangeKind::Deleted) => Fate::Deleted,
            (true, _) => Fate::Upsert,
        };
        Some(Self {
            resource: kind.kind,
            id: entry.record_id,
            version: entry.version,
            kind: fate,
            changed_at: entry.changed_at,
            data: (fate == Fate::Upsert).then(|| (kind.show)(&entry.data)),
        })
    }
}

/// Where a follower stands.
#[derive(Debug, Serialize, Deserialize)]
struct Cursor {
    /// Which database it is about.
    lineage: String,
    /// What is followed, and for whom.
    question: String,
    place: Place,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Place {
    /// Among the records as they were at a moment, after one of a kind.
    Snapshot { seen: String, kind: usize, after: Uuid },
    /// All that was seen at a moment has been told.
    After { seen: String },
    /// Between two moments, at a position.
    Between { since: Option<String>, until: String, position: i64 },
}

impl Cursor {
    fn read(text: &str) -> Result<Self, Problem> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(|| Problem::new(&catalogue::INVALID_CURSOR))
    }
}

/// A moment from a cursor.
fn seen(text: &str, present: &Present) -> Result<Seen, Problem> {
    let seen = text.parse().map_err(|_| Problem::new(&catalogue::INVALID_CURSOR))?;
    if present.is_behind(&seen) { Err(Problem::new(&catalogue::RESYNC_REQUIRED)) } else { Ok(seen) }
}

/// What one caller follows.
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
            return Err(Problem::new(&catalogue::FORBIDDEN));
        }
        let (shared, own): (Vec<&kinds::Entry>, Vec<_>) = kinds.iter().partition(|kind| kind.is_shared);
        let names = |kinds: Vec<&'static kinds::Entry>| kinds.into_iter().map(|kind| kind.resource).collect::<Vec<_>>();
        let followed = Followed { own: names(own), shared: names(shared), province: caller.scope.province() };
        let question = digest(&format!("{:?} {:?} {:?}", followed.own, followed.shared, followed.province));
        Ok(Self { kinds, followed, question, limit: following.page_size.map_or(200, |size| size as usize) })
    }

    /// What comes next.
    async fn next(&self, cursor: Option<&Cursor>, is_snapshot: bool, db: &impl ConnectionTrait) -> Result<Changes, Problem> {
        let present = feed::present(db).await?;
        let stays = |cursor: &Cursor| cursor.lineage == present.lineage && cursor.question == self.question;
        if !cursor.is_none_or(stays) {
            return Err(Problem::new(&catalogue::RESYNC_REQUIRED));
        }
        let (items, place, has_more) = match cursor.map(|cursor| &cursor.place) {
            None if is_snapshot => self.records(&present.seen, 0, Uuid::nil(), db).await?,
            Some(Place::Snapshot { seen: text, kind, after }) => self.records(&seen(text, &present)?, *kind, *after, db).await?,
            None => self.changes(None, &present.seen, None, db).await?,
            Some(Place::After { seen: text }) => self.changes(Some(&seen(text, &present)?), &present.seen, None, db).await?,
            Some(Place::Between { since, until, position }) => {
                let since = since.as_deref().map(|text| seen(text, &present)).transpose()?;
                self.changes(since.as_ref(), &seen(until, &present)?, Some(*position), db).await?
            }
        };
        let cursor = Cursor { lineage: present.lineage, question: self.question.clone(), place };
        let next_cursor = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&cursor).map_err(Problem::internal)?);
        Ok(Changes { items, next_cursor, has_more })
    }

    /// Records as they were at a moment, kind by kind: what others refer to comes before them.
    async fn records(&self, seen: &Seen, first: usize, after: Uuid, db: &impl ConnectionTrait) -> Result<(Vec<Change>, Place, bool), Problem> {
        let mut items = Vec::new();
        for (number, kind) in self.kinds.iter().enumerate().skip(first) {
            let after = if number == first { after } else { Uuid::nil() };
            let left = self.limit - items.len();
            let rows = feed::newest(db, &self.followed, seen, (kind.resource, after), left as u64).await?;
            let last = rows.last().map(|entry| entry.record_id).filter(|_| rows.len() == left);
            items.extend(rows.into_iter().filter_map(|entry| Change::new(entry, true)));
            if let Some(after) = last {
                return Ok((items, Place::Snapshot { seen: seen.to_string(), kind: number, after }, true));
            }
        }
        Ok((items, Place::After { seen: seen.to_string() }, false))
    }

    async fn changes(
        &self,
        since: Option<&Seen>,
        until: &Seen,
        position: Option<i64>,
        db: &impl ConnectionTrait,
    ) -> Result<(Vec<Change>, Place, bool), Problem> {
        let rows = feed::changes(db, &self.followed, (since, until), position, self.limit as u64).await?;
        let last = rows.last().map(|row| row.entry.seq).filter(|_| rows.len() == self.limit);
        let items = rows.into_iter().filter_map(|row| Change::new(row.entry, row.is_within)).collect();
        let place = match last {
            Some(position) => Place::Between { since: since.map(Seen::to_string), until: until.to_string(), position },
            None => Place::After { seen: until.to_string() },
        };
        Ok((items, place, last.is_some()))
    }
}

/// Follow the changes
///
/// All that has changed since a cursor, of all records that you may read: each change once, none left out, however many write at the
/// same time. A change comes after those that it builds on: a project after its cluster, version 3 after version 2.
///
/// **Begin** with `snapshot=true`: all records as they are now, those that others refer to first. **Go on** with `since=` and the `next_cursor`
/// of each answer, as long as `has_more` says so at once, and then whenever you like; with `wait=25` the answer comes when there is one. Keep
/// cursor and data in one transaction, and nothing is lost or applied twice, whenever your side or ours is cut off.
///
/// **410** `resync_required`: the cursor leads nowhere any more, as your scope or permissions, `resource`, or the database itself are other
/// ones than before. Drop what you hold and begin with a snapshot.
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
    shutdown: web::Data<Shutdown>,
) -> Result<Answer, Problem> {
    let follower = Follower::new(&following, &caller)?;
    let mut cursor = following.since.as_deref().map(Cursor::read).transpose()?;
    let end = Instant::now() + Duration::from_secs(following.wait.unwrap_or(0));
    loop {
        let changes = follower.next(cursor.as_ref(), following.snapshot, db.get_ref()).await?;
        if !changes.items.is_empty() || changes.has_more || Instant::now() + PAUSE > end || shutdown.has_begun() {
            return shape.value(&changes);
        }
        cursor = Some(Cursor::read(&changes.next_cursor)?);
        tokio::time::sleep(PAUSE).await;
    }
}

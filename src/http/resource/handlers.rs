//! The generic handlers of standard operations.

use serde::de::DeserializeOwned;

use super::{Collection, Part, Resource};
use crate::{
    http::{Answer, AsOfQuery, Body, Paging, Patch, Query, Read, Referred, Visible, VisibleEver, Write},
    lifecycle::{Stateful, Transition},
    problem::Problem,
    store::{Input, Retrospective},
};

pub(super) async fn list<R: Collection>(
    filter: Query<R::Filter>,
    paging: Paging<R>,
    read: Read,
) -> Result<Answer, Problem> {
    let condition = R::condition(&filter, &read.caller);
    read.list(paging, condition).await
}

pub(super) async fn list_parts<R: Part>(
    whole: Visible<R::Whole>,
    paging: Paging<R>,
    read: Read,
) -> Result<Answer, Problem> {
    read.list(paging, R::is_of(&whole)).await
}

pub(super) async fn create<R: Resource>(input: Body<R::Input>, write: Write) -> Result<Answer, Problem> {
    write.create(input.0.onto_row(&R::default())?).await
}

pub(super) async fn create_part<R: Part>(
    whole: Visible<R::Whole>,
    input: Body<R::Input>,
    write: Write,
) -> Result<Answer, Problem> {
    write.create(input.0.onto_row(&R::of(&whole))?).await
}

pub(super) async fn get_by_reference<R: Resource>(row: Referred<R>, read: Read) -> Result<Answer, Problem> {
    read.record(&row.row()?).await
}

pub(super) async fn put_by_reference<R: Resource>(
    row: Referred<R>,
    input: Body<R::Input>,
    write: Write,
) -> Result<Answer, Problem> {
    write.put(row, input.0).await
}

pub(super) async fn get<R: Resource>(row: Visible<R>, read: Read) -> Result<Answer, Problem> {
    read.record(&*row).await
}

pub(super) async fn get_at<R: Resource + Retrospective>(
    row: VisibleEver<R>,
    moment: Query<AsOfQuery>,
    read: Read,
) -> Result<Answer, Problem> {
    read.record_at(&row.0, moment.0).await
}

pub(super) async fn update<R: Resource>(
    row: Visible<R>,
    patch: Patch,
    write: Write,
) -> Result<Answer, Problem> {
    let input: R::Input = patch.onto(&*row)?;
    write.update(&*row, input.onto_row(&row)?).await
}

pub(super) async fn delete<R: Resource>(row: VisibleEver<R>, write: Write) -> Result<Answer, Problem> {
    write.delete(&row.0).await
}

pub(super) async fn transition<R: Resource + Stateful<State: DeserializeOwned>>(
    row: Visible<R>,
    transition: Body<Transition<R::State>>,
    write: Write,
) -> Result<Answer, Problem> {
    write.transition(&*row, transition.0).await
}

pub(super) async fn history<R: Resource>(row: VisibleEver<R>, read: Read) -> Result<Answer, Problem> {
    read.history(&row.0).await
}

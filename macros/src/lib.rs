//! The attribute `#[record]`: a kind of record is declared once, as the struct of its table.

mod expand;
mod field;

use proc_macro::TokenStream;

/// Declares a kind of record.
///
/// ```ignore
/// /// A payment from a line of a project's budget.
/// #[record(table = "payment", shown, input = PaymentInput, sort(paid_on, created_at, updated_at))]
/// #[input(about = "Input of a payment.")]
/// pub struct Model {
///     /// The project.
///     #[input(optional)]
///     pub project_id: Uuid,
///     /// The province, which is that of the project.
///     #[shown]
///     pub province: ProvinceCode,
///     /// The number of the payment document.
///     #[schema(example = "1393/2208")]
///     #[input(min_length = 1, max_length = 100)]
///     pub document_no: String,
/// }
/// ```
///
/// Arguments:
/// - `table = "…"`: the table.
/// - `shown`, or `shown = Name`: the row can be serialized for clients, as a part of a representation or, with
///   a name, as a schema of its own.
/// - `input = Name`: declares the input type.
/// - `sort(key, key = column, …)`: the sort keys of its list; `id` is always added.
/// - `days(name, …)`: the days within its fields; those that are fields themselves are known by their type.
///
/// A field is a column that clients write and see. `#[shown]` is for a column that they only see, `#[kept]`
/// for one that they neither see nor write. `#[computed]` is for a property that is no column: it is described
/// here, at its place among the others, and the representation adds it; with `#[input]` it is in the input too.
/// `#[schema(…)]` describes it in the OpenAPI document (the arguments are those of utoipa); `#[input(…)]` adds
/// what holds for the input alone, and `#[view(…)]` for what is shown. Further arguments of `#[input]`:
/// - `optional`: it may be left out, and the value of the row stays.
/// - `default`, or `default = "function"`: its value when left out; `schema_default` publishes it.
/// - `from = expression`: the input of an existing row, made from `row`.
///
/// Derived: the table with the columns of all records, `Columns` with the days and the personal data among the
/// fields, the serialization and the schema of what is shown, and the input with both of its mappings.
#[proc_macro_attribute]
pub fn record(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::record(arguments.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

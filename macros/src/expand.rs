//! What a declared record expands to.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{
    Attribute, Error, Fields, Ident, ItemStruct, LitStr, Result, Token, parenthesized,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

use crate::field::Declared;

/// Types of personal data, which is masked (`personal.rs`).
const PERSONAL: &[&str] = &["NationalCode", "LegalId", "Phone", "Email"];

/// Arguments of `#[record]`.
#[derive(Default)]
struct Arguments {
    table: Option<LitStr>,
    shown: Option<Option<Ident>>,
    input: Option<Ident>,
    sort: Option<Vec<SortKey>>,
    days: Vec<Ident>,
}

/// A sort key and its column.
struct SortKey {
    name: Ident,
    column: Ident,
}

impl Parse for SortKey {
    fn parse(tokens: ParseStream<'_>) -> Result<Self> {
        let name: Ident = tokens.parse()?;
        let column = tokens.parse::<Option<Token![=]>>()?.map(|_| tokens.parse()).transpose()?;
        Ok(Self { column: column.unwrap_or_else(|| name.clone()), name })
    }
}

impl Parse for Arguments {
    fn parse(tokens: ParseStream<'_>) -> Result<Self> {
        let mut arguments = Self::default();
        while !tokens.is_empty() {
            let key: Ident = tokens.parse()?;
            let has_value = || tokens.peek(Token![=]);
            match key.to_string().as_str() {
                "table" => {
                    tokens.parse::<Token![=]>()?;
                    arguments.table = Some(tokens.parse()?);
                }
                "shown" if has_value() => {
                    tokens.parse::<Token![=]>()?;
                    arguments.shown = Some(Some(tokens.parse()?));
                }
                "shown" => arguments.shown = Some(None),
                "input" => {
                    tokens.parse::<Token![=]>()?;
                    arguments.input = Some(tokens.parse()?);
                }
                "sort" => {
                    let keys;
                    parenthesized!(keys in tokens);
                    let keys = Punctuated::<SortKey, Token![,]>::parse_terminated(&keys)?;
                    let id = Ident::new("id", key.span());
                    let id = SortKey { name: id.clone(), column: id };
                    arguments.sort = Some(keys.into_iter().chain([id]).collect());
                }
                "days" => {
                    let days;
                    parenthesized!(days in tokens);
                    let days = Punctuated::<Ident, Token![,]>::parse_terminated(&days)?;
                    arguments.days = days.into_iter().collect();
                }
                _ => return Err(Error::new_spanned(key, "no argument of `#[record]`")),
            }
            tokens.parse::<Option<Token![,]>>()?;
        }
        Ok(arguments)
    }
}

pub fn record(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let arguments: Arguments = syn::parse2(arguments)?;
    let mut item: ItemStruct = syn::parse2(item)?;
    let Fields::Named(named) = &item.fields else {
        return Err(Error::new_spanned(&item, "a record is a struct with named fields"));
    };
    let fields: Vec<Declared> = named.named.iter().cloned().map(Declared::new).collect::<Result<_>>()?;
    let input_attributes =
        item.attrs.extract_if(.., |attribute| attribute.path().is_ident("input")).collect();
    let docs = item.attrs;
    let name =
        arguments.table.ok_or_else(|| Error::new_spanned(&item.ident, "`table = \"…\"` is missing"))?;
    let table = table_of(&name, &docs, &fields, arguments.shown.is_some(), &arguments.days);
    let shown = arguments.shown.map(|as_name| schema_of(as_name, &docs, &fields));
    let input = arguments.input.map(|input| input_of(&input, input_attributes, &fields)).transpose()?;
    let sort = arguments.sort.map(|keys| sort_keys(&name, &keys, &fields));
    Ok(quote!(#table #shown #input #sort))
}

/// The table, and the columns that all records share.
fn table_of(
    table: &LitStr,
    docs: &[Attribute],
    fields: &[Declared],
    is_shown: bool,
    days: &[Ident],
) -> TokenStream {
    let columns = fields.iter().filter(|field| field.is_column()).map(|field| field.column(is_shown));
    let serialize = is_shown.then(|| quote!(#[derive(serde::Serialize)]));
    let skip = is_shown.then(|| quote!(#[serde(skip)]));
    let info = (!is_shown).then(|| {
        quote! {
            impl From<&Model> for crate::store::RecordInfo {
                fn from(row: &Model) -> Self {
                    Self {
                        id: row.id,
                        version: row.version,
                        created_at: row.created_at,
                        created_by: row.created_by,
                        updated_at: row.updated_at,
                        updated_by: row.updated_by,
                        external_refs: row.external_refs.clone(),
                    }
                }
            }
        }
    });
    let names = |types: &[&str]| -> Vec<String> {
        let found = fields.iter().filter(|field| field.is_described() && field.is_of(types));
        found.map(|field| field.name.to_string()).collect()
    };
    let personal = names(PERSONAL);
    let days = names(&["Date"]).into_iter().chain(days.iter().map(Ident::to_string));
    quote! {
        #(#docs)*
        #[derive(Clone, Debug, Default, PartialEq, sea_orm::DeriveEntityModel)]
        #serialize
        #[sea_orm(table_name = #table)]
        pub struct Model {
            /// The id (UUIDv7).
            #[sea_orm(primary_key, auto_increment = false)]
            pub id: uuid::Uuid,
            /// 1 at creation, one more at each change.
            pub version: i64,
            /// Creation time.
            pub created_at: chrono::DateTime<chrono::Utc>,
            /// The account that created it.
            pub created_by: uuid::Uuid,
            /// Time of the last change.
            pub updated_at: chrono::DateTime<chrono::Utc>,
            /// The account that changed it last.
            pub updated_by: uuid::Uuid,
            /// Deletion time; none if live.
            #skip
            pub deleted_at: Option<chrono::DateTime<chrono::Utc>>,
            /// Identifiers in other systems.
            pub external_refs: crate::store::external_ref::ExternalRefs,
            /// The hash of its newest history entry.
            #skip
            pub history_hash: String,
            #(#columns)*
        }

        /// Empty: related records are read by separate statements.
        #[derive(Copy, Clone, Debug, sea_orm::EnumIter, sea_orm::DeriveRelation)]
        pub enum Relation {}

        impl sea_orm::ActiveModelBehavior for ActiveModel {}

        #info

        impl crate::store::Columns for Model {
            const DAYS: &'static [&'static str] = &[#(#days),*];
            const PERSONAL: &'static [&'static str] = &[#(#personal),*];

            fn id(&self) -> uuid::Uuid {
                self.id
            }
            fn version(&self) -> i64 {
                self.version
            }
            fn deleted_at(&self) -> Option<chrono::DateTime<chrono::Utc>> {
                self.deleted_at
            }
            fn history_hash(&self) -> &str {
                &self.history_hash
            }
            fn external_refs(&self) -> &[crate::store::ExternalRef] {
                &self.external_refs.0
            }
            fn columns_mut(&mut self) -> crate::store::ColumnsMut<'_> {
                crate::store::ColumnsMut {
                    id: &mut self.id,
                    version: &mut self.version,
                    created_at: &mut self.created_at,
                    created_by: &mut self.created_by,
                    updated_at: &mut self.updated_at,
                    updated_by: &mut self.updated_by,
                    deleted_at: &mut self.deleted_at,
                    history_hash: &mut self.history_hash,
                }
            }
        }
    }
}

/// The schema of what clients see of a row.
fn schema_of(name: Option<Ident>, docs: &[Attribute], fields: &[Declared]) -> TokenStream {
    let properties = fields.iter().filter(|field| field.is_described()).map(Declared::property);
    let whole = name.as_ref().map(|_| {
        quote! {
            impl From<&Model> for Model {
                fn from(row: &Model) -> Self {
                    row.clone()
                }
            }
        }
    });
    let name = name.map(|name| quote!(#[schema(as = #name)]));
    quote! {
        #whole

        #(#docs)*
        #[derive(utoipa::ToSchema)]
        #name
        #[allow(dead_code, reason = "it is only described: the row itself is serialized")]
        struct Shown {
            #[serde(flatten)]
            info: crate::store::RecordInfo,
            #(#properties)*
        }

        impl utoipa::PartialSchema for Model {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                Shown::schema()
            }
        }

        impl utoipa::ToSchema for Model {
            fn name() -> std::borrow::Cow<'static, str> {
                Shown::name()
            }
            fn schemas(
                schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)>,
            ) {
                Shown::schemas(schemas);
            }
        }
    }
}

/// The input, and its mappings from and onto a row.
fn input_of(name: &Ident, attributes: Vec<Attribute>, fields: &[Declared]) -> Result<TokenStream> {
    let mut described = Vec::new();
    for attribute in attributes {
        attribute.parse_nested_meta(|meta| {
            let value: syn::Expr = meta.value()?.parse()?;
            match meta.path.is_ident("about") {
                true => described.push(quote!(#[doc = #value])),
                false => {
                    let path = meta.path;
                    described.push(quote!(#[schema(#path = #value)]));
                }
            }
            Ok(())
        })?;
    }
    let given: Vec<_> = fields.iter().filter(|field| field.is_input()).collect();
    let declared = given.iter().map(|field| field.input_field());
    let input_of_row = given.iter().map(|field| field.input_of_row());
    let row_of_input = given.iter().filter(|field| field.is_column()).map(|field| field.row_of_input());
    Ok(quote! {
        #[derive(Debug, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        #(#described)*
        #[serde(deny_unknown_fields)]
        pub struct #name {
            #(#declared)*
            /// Identifiers of the record in other systems.
            #[serde(default)]
            pub external_refs: crate::store::external_ref::ExternalRefs,
        }

        impl From<&Model> for #name {
            fn from(row: &Model) -> Self {
                Self { #(#input_of_row)* external_refs: row.external_refs.clone() }
            }
        }

        impl crate::store::Fields<Model> for #name {
            fn external_refs(&mut self) -> &mut crate::store::external_ref::ExternalRefs {
                &mut self.external_refs
            }
            fn over(self, row: &Model) -> Model {
                Model { #(#row_of_input)* external_refs: self.external_refs, ..row.clone() }
            }
        }
    })
}

/// The sort keys of its list; the last one is unique.
fn sort_keys(table: &LitStr, keys: &[SortKey], fields: &[Declared]) -> TokenStream {
    let keys = keys.iter().map(|SortKey { name, column }| {
        let (name, sql) = (name.to_string(), format!("{}.{column}", table.value()));
        let own = fields.iter().find(|field| field.name == *column).map(|field| field.ty.to_token_stream());
        let ty = own.unwrap_or_else(|| match column.to_string().as_str() {
            "id" => quote!(uuid::Uuid),
            _ => quote!(chrono::DateTime<chrono::Utc>),
        });
        quote! {
            crate::http::SortKey {
                name: #name,
                sql: #sql,
                kind: <#ty as crate::store::SortValue>::KIND,
                value: |row| crate::store::SortValue::value(&row.#column),
            }
        }
    });
    quote! {
        impl crate::http::page::Listed for Model {
            const SORT_KEYS: &'static [crate::http::SortKey<Self>] = &[#(#keys),*];
        }
    }
}

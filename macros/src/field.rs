//! One field of a record: who sees it, who writes it, and how it is described.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{
    Attribute, Expr, Field, GenericArgument, Ident, LitStr, PathArguments, Result, Token, Type,
    parse::{Parse, ParseStream},
};

/// Who sees a field, and who writes it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Given,
    Shown,
    Kept,
    Computed,
}

/// A field of a record.
pub struct Declared {
    pub name: Ident,
    pub ty: Type,
    role: Role,
    /// Doc comments and attributes of the column.
    kept: Vec<Attribute>,
    /// Arguments of `#[schema]` for both, the input and the representation.
    schema: Vec<TokenStream>,
    view: Vec<TokenStream>,
    input: Input,
    has_input: bool,
}

/// Arguments of `#[input]`.
#[derive(Default)]
struct Input {
    optional: bool,
    default: Option<Option<LitStr>>,
    from: Option<Expr>,
    schema: Vec<TokenStream>,
}

impl Parse for Input {
    fn parse(tokens: ParseStream<'_>) -> Result<Self> {
        let mut input = Self::default();
        while !tokens.is_empty() {
            let key: Ident = tokens.parse()?;
            let has_value = tokens.parse::<Option<Token![=]>>()?.is_some();
            match key.to_string().as_str() {
                "optional" => input.optional = true,
                "default" if has_value => input.default = Some(Some(tokens.parse()?)),
                "default" => input.default = Some(None),
                "schema_default" => {
                    let value: Expr = tokens.parse()?;
                    input.schema.push(quote!(default = #value));
                }
                "from" => input.from = Some(tokens.parse()?),
                "value_type" => {
                    let ty: Type = tokens.parse()?;
                    input.schema.push(quote!(#key = #ty));
                }
                _ if has_value => {
                    let value: Expr = tokens.parse()?;
                    input.schema.push(quote!(#key = #value));
                }
                _ => input.schema.push(quote!(#key)),
            }
            tokens.parse::<Option<Token![,]>>()?;
        }
        Ok(input)
    }
}

impl Declared {
    pub fn new(field: Field) -> Result<Self> {
        let name =
            field.ident.clone().ok_or_else(|| syn::Error::new_spanned(&field, "a field has a name"))?;
        let mut declared = Self {
            name,
            ty: field.ty,
            role: Role::Given,
            kept: Vec::new(),
            schema: Vec::new(),
            view: Vec::new(),
            input: Input::default(),
            has_input: false,
        };
        for attribute in field.attrs {
            let name = attribute.path().get_ident().map(Ident::to_string).unwrap_or_default();
            match name.as_str() {
                "shown" => declared.role = Role::Shown,
                "kept" => declared.role = Role::Kept,
                "computed" => declared.role = Role::Computed,
                "schema" => declared.schema.push(attribute.parse_args()?),
                "view" => declared.view.push(attribute.parse_args()?),
                "input" => {
                    declared.input = attribute.parse_args()?;
                    declared.has_input = true;
                }
                _ => declared.kept.push(attribute),
            }
        }
        Ok(declared)
    }

    pub fn is_column(&self) -> bool {
        self.role != Role::Computed
    }

    pub fn is_shown(&self) -> bool {
        matches!(self.role, Role::Given | Role::Shown)
    }

    pub fn is_described(&self) -> bool {
        self.role != Role::Kept
    }

    pub fn is_input(&self) -> bool {
        self.role == Role::Given || self.role == Role::Computed && self.has_input
    }

    /// Whether its type is this, or an option of it.
    pub fn is_of(&self, types: &[&str]) -> bool {
        let inner = argument(&self.ty, "Option").unwrap_or(&self.ty);
        types.iter().any(|name| last_segment(inner).is_some_and(|segment| segment.ident == name))
    }

    /// The column in the struct of the table.
    pub fn column(&self, is_serialized: bool) -> TokenStream {
        let Self { name, ty, kept, .. } = self;
        let skip = (is_serialized && !self.is_shown()).then(|| quote!(#[serde(skip)]));
        quote!(#(#kept)* #skip pub #name: #ty,)
    }

    /// The property of the representation.
    pub fn property(&self) -> TokenStream {
        let Self { name, ty, schema, view, .. } = self;
        let docs = self.docs();
        let required = argument(ty, "Option").map(|_| quote!(required,));
        let list = list_of(ty, &[schema, view]);
        quote!(#(#docs)* #[schema(#required #list #(#schema,)* #(#view,)*)] #name: #ty,)
    }

    /// The field of the input.
    pub fn input_field(&self) -> TokenStream {
        let Self { name, ty, schema, input, .. } = self;
        let docs = self.docs();
        let ty = if input.optional { quote!(Option<#ty>) } else { ty.to_token_stream() };
        let left_out = match &input.default {
            _ if input.optional || argument(&self.ty, "Option").is_some() => {
                quote!(#[serde(default, skip_serializing_if = "Option::is_none")])
            }
            Some(Some(function)) => quote!(#[serde(default = #function)]),
            Some(None) => quote!(#[serde(default)]),
            None => TokenStream::new(),
        };
        let list = list_of(&self.ty, &[schema, &input.schema]);
        let own = &input.schema;
        quote!(#(#docs)* #left_out #[schema(#list #(#schema,)* #(#own,)*)] pub #name: #ty,)
    }

    /// The initializer of the input of an existing row.
    pub fn input_of_row(&self) -> TokenStream {
        let name = &self.name;
        match &self.input.from {
            Some(from) => quote!(#name: #from,),
            None if self.input.optional => quote!(#name: Some(row.#name.clone()),),
            None => quote!(#name: row.#name.clone(),),
        }
    }

    /// The initializer of the row with the input.
    pub fn row_of_input(&self) -> TokenStream {
        let name = &self.name;
        match self.input.optional {
            true => quote!(#name: self.#name.unwrap_or_else(|| row.#name.clone()),),
            false => quote!(#name: self.#name,),
        }
    }

    fn docs(&self) -> impl Iterator<Item = &Attribute> {
        self.kept.iter().filter(|attribute| attribute.path().is_ident("doc"))
    }
}

fn last_segment(ty: &Type) -> Option<&syn::PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

/// The argument of a generic type of this name.
fn argument<'a>(ty: &'a Type, generic: &str) -> Option<&'a Type> {
    let segment = last_segment(ty).filter(|segment| segment.ident == generic)?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

/// A list is described by its items.
fn list_of(ty: &Type, given: &[&Vec<TokenStream>]) -> Option<TokenStream> {
    let has_type =
        given.iter().any(|list| list.iter().any(|tokens| tokens.to_string().contains("value_type")));
    let item = argument(ty, "List").filter(|_| !has_type)?;
    Some(quote!(value_type = Vec<#item>,))
}

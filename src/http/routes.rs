//! Routes, and their part of the OpenAPI document.

use actix_web::{dev::HttpServiceFactory, web};
use utoipa::openapi::{Components, OpenApi};
use utoipa_actix_web::OpenApiFactory;

/// Collects routes. Their descriptions are collected only for the document, which a process makes once: each
/// worker has routes of its own, and needs no descriptions.
pub struct Routes<'a> {
    config: &'a mut web::ServiceConfig,
    document: Option<&'a mut OpenApi>,
}

impl<'a> Routes<'a> {
    /// Routes alone.
    pub fn new(config: &'a mut web::ServiceConfig) -> Self {
        Self { config, document: None }
    }

    /// Routes, and their descriptions for the document.
    pub fn described(config: &'a mut web::ServiceConfig, document: &'a mut OpenApi) -> Self {
        Self { config, document: Some(document) }
    }

    /// Adds the routes of a module.
    pub fn configure(&mut self, routes: impl FnOnce(&mut Routes<'_>)) -> &mut Self {
        routes(self);
        self
    }

    /// Adds the routes of one factory.
    pub fn service<F: HttpServiceFactory + OpenApiFactory + 'static>(&mut self, factory: F) -> &mut Self {
        if let Some(document) = &mut self.document {
            document.paths.merge(factory.paths());
            let mut schemas = Vec::new();
            factory.schemas(&mut schemas);
            document.components.get_or_insert_with(Components::new).schemas.extend(schemas);
        }
        self.config.service(factory);
        self
    }

    /// Adds routes below a prefix.
    pub fn under(&mut self, prefix: &str, routes: impl FnOnce(&mut Routes<'_>)) -> &mut Self {
        let mut own = self.document.as_ref().map(|_| OpenApi::default());
        let scope =
            web::scope(prefix).configure(|config| routes(&mut Routes { config, document: own.as_mut() }));
        self.config.service(scope);
        if let Some((document, own)) = self.document.as_mut().zip(own) {
            for (path, item) in own.paths.paths {
                document.paths.paths.insert(format!("{prefix}{path}"), item);
            }
            let schemas = own.components.unwrap_or_default().schemas;
            document.components.get_or_insert_with(Components::new).schemas.extend(schemas);
        }
        self
    }
}

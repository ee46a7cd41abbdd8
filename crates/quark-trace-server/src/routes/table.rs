//! How a route is made: with a method, a path and a policy, or not at all.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request};
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{Next, from_fn};
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::access::{Policy, guard};
use crate::app::App;
use crate::problem::{Code, Problem};

/// A route that the server has.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its method; `GET` answers `HEAD` too.
    pub method: Method,
    /// Its path, with the names of what varies in braces.
    pub path: &'static str,
    /// What it asks of its caller.
    pub policy: Policy,
}

/// The routes as they are put together. There is no other way to make one.
#[derive(Debug)]
pub struct Table {
    app: Arc<App>,
    router: Router<Arc<App>>,
    routes: Vec<Route>,
}

impl Table {
    /// No routes yet.
    pub fn new(app: &Arc<App>) -> Self {
        Self { app: Arc::clone(app), router: Router::new(), routes: Vec::new() }
    }

    /// Answers GET and HEAD.
    #[must_use]
    pub fn get<T: 'static>(
        self,
        path: &'static str,
        policy: Policy,
        handler: impl Handler<T, Arc<App>>,
    ) -> Self {
        self.route(Method::GET, MethodFilter::GET, path, policy, handler)
    }

    /// Answers POST.
    #[must_use]
    pub fn post<T: 'static>(
        self,
        path: &'static str,
        policy: Policy,
        handler: impl Handler<T, Arc<App>>,
    ) -> Self {
        self.route(Method::POST, MethodFilter::POST, path, policy, handler)
    }

    /// Answers PATCH.
    #[must_use]
    pub fn patch<T: 'static>(
        self,
        path: &'static str,
        policy: Policy,
        handler: impl Handler<T, Arc<App>>,
    ) -> Self {
        self.route(Method::PATCH, MethodFilter::PATCH, path, policy, handler)
    }

    fn route<T: 'static>(
        mut self,
        method: Method,
        filter: MethodFilter,
        path: &'static str,
        policy: Policy,
        handler: impl Handler<T, Arc<App>>,
    ) -> Self {
        let app = Arc::clone(&self.app);
        let guarded = move |parameters: Result<RawPathParams, RawPathParamsRejection>,
                            request: Request,
                            next: Next| {
            guard(Arc::clone(&app), policy, path, parameters, request, next)
        };
        let method_router: MethodRouter<Arc<App>> =
            on(filter, handler).route_layer(from_fn(guarded));
        self.router = self.router.route(path, method_router);
        self.routes.push(Route { method, path, policy });
        self
    }

    /// Adds the routes of another table.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.routes.extend(other.routes);
        self
    }

    /// The routes.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// What axum serves.
    pub fn into_router(self) -> Router {
        let refused =
            || async { Problem::new(Code::MethodNotAllowed, "this path does not know the method") };
        self.router
            .fallback(|| async { Problem::missing() })
            .method_not_allowed_fallback(refused)
            .with_state(self.app)
    }
}

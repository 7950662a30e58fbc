//! `TracingLayer`: spans of the crate `tracing` as regions of a trace, and its events as messages.

use core::fmt::{self, Write};
use gmp_core::runtime::marks::{Mark, is_recorded, mark};
use tracing_core::field::{Field, Visit};
use tracing_core::span::Id;
use tracing_core::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// A layer for subscribers of the crate `tracing`: each time that a goroutine is in a span is a [region](super::region) of
/// the span's name, and each event a [message](super::log), whose category is the event's target. With the feature
/// `tracing`.
///
/// ```
/// use tracing_subscriber::prelude::*;
///
/// tracing_subscriber::registry().with(gmp::trace::TracingLayer).init();
/// let builder = gmp::Builder::new().flight_recorder(std::time::Duration::from_secs(5));
/// builder.build().unwrap().run(|| {
///     gmp::go(|| {
///         let _entered = tracing::info_span!("decode", file = "a.png").entered();
///         gmp::yield_now();
///         tracing::info!(rows = 480, "decoded");
///     }).join().unwrap();
///     let file = gmp::trace::snapshot().unwrap().to_go();
///     assert!(file.windows(6).any(|at| at == b"decode"));
///     assert!(file.windows(21).any(|at| at == b"INFO decoded rows=480"));
/// }).unwrap();
/// ```
///
/// A region belongs to the goroutine that entered the span: it goes on over suspensions, and ends on whatever thread the
/// goroutine is by then. Spans that are left in another order than they were entered are shown as [regions](super::region)
/// are. A span that one goroutine enters and another one leaves stays open in the first until that ends. In a future
/// (`Instrument`) each poll is a region.
///
/// `tracing` itself keeps in thread-locals what it knows of the caller, such as the entered spans from which new ones
/// descend. A goroutine has its own, unless the runtime was made with
/// [`share_thread_locals`](crate::Builder::share_thread_locals): there the regions are right all the same, since they go by
/// the goroutine, but a span that is entered over a suspension breaks what that mode's promise asks for. A `Registry` then
/// takes a span that somebody else has entered on the same thread for the parent of a new one, and panics if that has
/// closed meanwhile; with a parent that is said (`info_span!(parent: None, ...)`) it need not guess. And a `Registry` of
/// tracing-subscriber 0.3 knows 4,096 threads at once, and panics at one more: in all other modes so many goroutines may
/// have been in a span and still live.
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingLayer;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for TracingLayer {
    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        if let Some(name) = name_of(id, &context) {
            mark(Mark::RegionBegin(name));
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        if let Some(name) = name_of(id, &context) {
            mark(Mark::RegionEnd(name));
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if is_recorded() {
            let mut said = Said(event.metadata().level().to_string());
            event.record(&mut said);
            mark(Mark::Log(event.metadata().target(), &said.0));
        }
    }
}

/// The span's name, if anybody is to see it.
fn name_of<S: Subscriber + for<'a> LookupSpan<'a>>(
    id: &Id,
    context: &Context<'_, S>,
) -> Option<&'static str> {
    if !is_recorded() {
        return None;
    }
    Some(context.span(id)?.name())
}

/// What an event says: its level, its message and its fields.
struct Said(String);

impl Said {
    fn add(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        // A string takes everything.
        let _ = match field.name() {
            "message" => write!(self.0, " {value}"),
            name => write!(self.0, " {name}={value}"),
        };
    }
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format_args!("{value:?}"));
    }
}

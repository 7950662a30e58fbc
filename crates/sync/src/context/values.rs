//! The values of a context: a chain, the latest first, each found by its type. Go: `valueCtx`.

use core::any::{Any, TypeId, type_name};
use core::fmt;
use std::sync::Arc;

/// A chain of values; clones share it.
#[derive(Clone)]
pub(super) struct Values(Option<Arc<Value>>);

struct Value {
    value: Box<dyn Any + Send + Sync>,
    name: &'static str,
    earlier: Values,
}

impl Values {
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// One value more.
    pub(super) fn with<T: Any + Send + Sync>(&self, value: T) -> Self {
        Self(Some(Arc::new(Value { value: Box::new(value), name: type_name::<T>(), earlier: self.clone() })))
    }

    /// The latest value of this type.
    pub(super) fn get<T: Any>(&self) -> Option<&T> {
        self.iter().find(|value| (*value.value).type_id() == TypeId::of::<T>())?.value.downcast_ref()
    }

    fn iter(&self) -> impl Iterator<Item = &Value> {
        core::iter::successors(self.0.as_deref(), |value| value.earlier.0.as_deref())
    }
}

impl Drop for Values {
    /// It drops link by link: a long chain that dropped itself by recursion would not fit on a goroutine's stack.
    fn drop(&mut self) {
        let mut next = self.0.take();
        while let Some(mut last) = next.and_then(Arc::into_inner) {
            next = last.earlier.0.take();
        }
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|value| value.name)).finish()
    }
}

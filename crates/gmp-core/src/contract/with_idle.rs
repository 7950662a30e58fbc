//! `WithIdle`: one policy with another's idle rule.

use crate::contract::{IdlePolicy, Policy, Rules, Token};
use core::marker::PhantomData;

/// The policy `P`, but with `I` as its idle rule: any queue with any idle policy.
///
/// It keeps `P`'s name, since its queues and its order are what a token's fate depends on; `Stats::idle_rule` says which
/// idle rule a runtime has.
///
/// ```
/// use gmp_core::contract::{IdlePolicy, IdleView, Policy, WithIdle};
///
/// /// Wakes an M at every submission.
/// #[derive(Default)]
/// struct Hasty;
///
/// impl IdlePolicy for Hasty {
///     const NAME: &'static str = "hasty";
///     const STRONG: bool = true;
///     fn may_spin(&self, _: IdleView) -> bool {
///         true
///     }
///     fn wake_on_submit(&self, _: IdleView, _: impl Fn() -> usize) -> bool {
///         true
///     }
/// }
///
/// fn names<P: Policy>() -> [&'static str; 2] {
///     [WithIdle::<P, Hasty>::NAME, <WithIdle<P, Hasty> as Policy>::Idle::NAME]
/// }
/// ```
pub struct WithIdle<P, I>(PhantomData<fn() -> (P, I)>);

impl<P: Policy, I: IdlePolicy> Policy for WithIdle<P, I> {
    const NAME: &'static str = P::NAME;
    const RULES: Rules = P::RULES;
    type Queue<T: Token> = P::Queue<T>;
    type Shared<T: Token> = P::Shared<T>;
    type Idle = I;
    type Order = P::Order;
}

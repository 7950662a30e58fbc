//! `DefaultPolicy`: the policy of builders that name none, as the crate's features choose it.

/// The default policy before a feature has changed its idle rule: the first of these that is on.
mod default_queues {
    #[cfg(feature = "randomize-scheduler")]
    pub(super) type Queues = gmp_policy_random::Random;

    #[cfg(all(feature = "policy-block", not(feature = "randomize-scheduler")))]
    pub(super) type Queues = gmp_policy_block::Block;

    #[cfg(all(feature = "policy-lifo", not(any(feature = "randomize-scheduler", feature = "policy-block"))))]
    pub(super) type Queues = gmp_policy_lifo::Lifo;

    #[cfg(all(
        feature = "policy-global",
        not(any(feature = "randomize-scheduler", feature = "policy-block", feature = "policy-lifo"))
    ))]
    pub(super) type Queues = gmp_policy_global::Global;

    #[cfg(not(any(
        feature = "randomize-scheduler",
        feature = "policy-block",
        feature = "policy-lifo",
        feature = "policy-global"
    )))]
    pub(super) type Queues = gmp_policy_go::Go;
}
use default_queues::Queues as DefaultQueues;

/// The policy of a runtime whose builder names none.
#[cfg(not(any(feature = "idle-eager", feature = "idle-frugal")))]
#[doc(alias = "randomizeScheduler")]
pub type DefaultPolicy = DefaultQueues;

/// The policy of a runtime whose builder names none.
#[cfg(feature = "idle-eager")]
#[doc(alias = "randomizeScheduler")]
pub type DefaultPolicy = gmp_core::contract::WithIdle<DefaultQueues, gmp_policy_idle::Eager>;

/// The policy of a runtime whose builder names none.
#[cfg(all(feature = "idle-frugal", not(feature = "idle-eager")))]
#[doc(alias = "randomizeScheduler")]
pub type DefaultPolicy = gmp_core::contract::WithIdle<DefaultQueues, gmp_policy_idle::Frugal>;

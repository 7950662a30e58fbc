//! `WithOrder`: a policy with another victim order.

use crate::contract::{Policy, Rules, Token, VictimOrder};
use core::marker::PhantomData;

/// The policy `P`, except that its victims are looked at in the order of `O`. It serves as a type only; there is no
/// value of it.
pub struct WithOrder<P, O>(PhantomData<fn() -> (P, O)>);

impl<P: Policy, O: VictimOrder> Policy for WithOrder<P, O> {
    const NAME: &'static str = P::NAME;
    const RULES: Rules = P::RULES;
    type Queue<T: Token> = P::Queue<T>;
    type Shared<T: Token> = P::Shared<T>;
    type Idle = P::Idle;
    type Order = O;
}

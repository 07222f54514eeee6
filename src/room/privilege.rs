//! Who may do what in a room: the tables of XEP-0045 section 5, as functions.

use crate::store::{Affiliation, Role};

impl Affiliation {
    /// As it is written in an item.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Outcast => "outcast",
            Self::None => "none",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// The affiliation of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Outcast, Self::None, Self::Member, Self::Admin, Self::Owner]
            .into_iter()
            .find(|known| known.name() == name)
    }

    /// The role with which somebody enters (section 5.1.2).
    #[must_use]
    pub fn entry_role(self, is_moderated: bool) -> Role {
        match self {
            Self::Owner | Self::Admin => Role::Moderator,
            Self::Member => Role::Participant,
            Self::None if is_moderated => Role::Visitor,
            Self::None => Role::Participant,
            Self::Outcast => Role::None,
        }
    }

    /// Whether somebody of this affiliation may give `to` to somebody who has `from` (section 5.2.1: admins decide about those
    /// below them, owners about everybody).
    #[must_use]
    pub fn may_change(self, from: Self, to: Self) -> bool {
        match self {
            Self::Owner => true,
            Self::Admin => from < Self::Admin && to < Self::Admin,
            Self::Outcast | Self::None | Self::Member => false,
        }
    }
}

impl Role {
    /// As it is written in an item.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Visitor => "visitor",
            Self::Participant => "participant",
            Self::Moderator => "moderator",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::None, Self::Visitor, Self::Participant, Self::Moderator].into_iter().find(|known| known.name() == name)
    }
}

/// Somebody in the room, as far as privileges go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Long-lived.
    pub affiliation: Affiliation,
    /// While in the room.
    pub role: Role,
}

impl Standing {
    /// Whether somebody who stands like this may give `to` to an occupant who stands like `other` (sections 5.1.1, 8.2 to 8.5
    /// and 9.6 to 9.8). Nobody acts on whom they stand below, and moderators come from admins and owners alone.
    #[must_use]
    pub fn may_give_role(self, other: Self, to: Role) -> bool {
        if self.role != Role::Moderator || other.affiliation > self.affiliation {
            return false;
        }
        let is_lowered = to < other.role;
        match (other.role, to) {
            // Admins and owners are moderators for as long as they are that (sections 9.7 and 9.8).
            (Role::Moderator, Role::Visitor | Role::Participant) => {
                self.affiliation >= Affiliation::Admin && other.affiliation < Affiliation::Admin
            }
            (_, Role::Moderator) => self.affiliation >= Affiliation::Admin,
            // A mere moderator and another one are equals.
            (Role::Moderator, Role::None) => {
                self.affiliation >= Affiliation::Admin || other.affiliation < self.affiliation
            }
            // Section 8.4: voice is not taken from those who have a higher standing than the room's visitors.
            _ if is_lowered && to == Role::Visitor => other.affiliation < Affiliation::Admin,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Standing;
    use crate::store::{Affiliation, Role};

    const ALL: [Affiliation; 5] =
        [Affiliation::Outcast, Affiliation::None, Affiliation::Member, Affiliation::Admin, Affiliation::Owner];

    /// Table 6 of section 5.2.2, and section 10.3 for owners.
    #[test]
    fn who_may_change_affiliations() {
        for from in ALL {
            for to in ALL {
                assert!(Affiliation::Owner.may_change(from, to));
                let below = from < Affiliation::Admin && to < Affiliation::Admin;
                assert_eq!(Affiliation::Admin.may_change(from, to), below, "{from:?} to {to:?}");
                for nobody in [Affiliation::Outcast, Affiliation::None, Affiliation::Member] {
                    assert!(!nobody.may_change(from, to));
                }
            }
        }
    }

    /// Table 3 of section 5.1.2.
    #[test]
    fn roles_on_entering() {
        let role = Affiliation::entry_role;
        assert_eq!(
            ALL.map(|of| role(of, false)),
            [Role::None, Role::Participant, Role::Participant, Role::Moderator, Role::Moderator]
        );
        assert_eq!(role(Affiliation::None, true), Role::Visitor);
        assert_eq!(role(Affiliation::Member, true), Role::Participant);
    }

    #[test]
    fn who_may_change_roles() {
        let stands = |affiliation, role| Standing { affiliation, role };
        let moderator = stands(Affiliation::None, Role::Moderator);
        let member = stands(Affiliation::Member, Role::Participant);
        let visitor = stands(Affiliation::None, Role::Visitor);
        let participant = stands(Affiliation::None, Role::Participant);
        let admin = stands(Affiliation::Admin, Role::Moderator);
        let owner = stands(Affiliation::Owner, Role::Moderator);
        for nobody in [visitor, participant, member] {
            for to in [Role::None, Role::Visitor, Role::Participant, Role::Moderator] {
                assert!(!nobody.may_give_role(visitor, to));
            }
        }
        assert!(moderator.may_give_role(participant, Role::None));
        assert!(moderator.may_give_role(visitor, Role::Participant));
        assert!(moderator.may_give_role(participant, Role::Visitor));
        assert!(!moderator.may_give_role(participant, Role::Moderator));
        assert!(!moderator.may_give_role(moderator, Role::None));
        assert!(!moderator.may_give_role(member, Role::None), "a member stands above a moderator without affiliation");
        assert!(!moderator.may_give_role(admin, Role::None));
        assert!(admin.may_give_role(member, Role::Moderator));
        assert!(admin.may_give_role(moderator, Role::Participant));
        assert!(admin.may_give_role(moderator, Role::None));
        for to in [Role::None, Role::Visitor, Role::Participant] {
            assert!(!admin.may_give_role(owner, to));
        }
        assert!(!admin.may_give_role(admin, Role::Participant));
        assert!(!owner.may_give_role(admin, Role::Visitor));
    }
}

"""What can happen to users, teams, contacts and organizations."""

from __future__ import annotations

from typing import Any

from . import objects
from .crm import Crm, change, without_none
from .objects import Row

# A team's settings, by the kind of object that they are for.
SETTINGS = {"contacts": "contactSettings", "organizations": "organizationSettings"}
LINKS = {"contacts": "contactLinks", "organizations": "orgLinks"}


class People(Crm):
    """Users and teams, and the contacts and organizations of a team."""

    # --- users and teams --------------------------------------------------------------------------

    @change
    def add_user(self, email: str, full_name: str, **properties: Any) -> Row:
        row = objects.user(len(self.users) + 1, email, full_name) | properties
        return self.users.setdefault(row["key"], row)

    @change
    def add_team(self, name: str, member_keys: list[str] | None = None, **properties: Any) -> Row:
        """Adds a team of these users, or of the key's own user if none are named."""
        now = self.now()
        people = [self.users[key] for key in member_keys or [self.my_key]]
        members = [
            objects.member(person, "Member" if place else "Owner", invited=now)
            for place, person in enumerate(people)
        ]
        row = objects.team(len(self.teams) + 1, name, members, created=now) | properties
        self.contacts[row["key"]], self.organizations[row["key"]] = [], []
        return self.teams.setdefault(row["key"], row)

    @change
    def edit_team(self, team_key: str, **properties: Any) -> Row:
        row = self.teams[team_key]
        row.update({"lastSavedTimestamp": self.now()} | properties)
        return row

    @change
    def delete_team(self, team_key: str) -> None:
        """Deletes a team, its contacts and organizations. Its pipelines stay, without a team."""
        for kind in LINKS:
            gone = {row["key"] for row in getattr(self, kind).pop(team_key)}
            self._rename_links(kind, dict.fromkeys(gone))
        for pipeline in self.pipelines.values():
            if pipeline["teamKey"] == team_key:
                pipeline.update(self._stamps() | {"teamKey": None})
        del self.teams[team_key]
        self.hidden.discard(team_key)

    @change
    def leave_team(self, team_key: str) -> None:
        """The key's user leaves. The team and its pipelines stay, but this key cannot see them."""
        team = self.edit_team(team_key)
        team["members"] = [row for row in team["members"] if row["userKey"] != self.my_key]
        self.hidden |= {team_key, *self._pipelines_of(team_key)}

    @change
    def rejoin_team(self, team_key: str) -> None:
        team = self.edit_team(team_key)
        team["members"] = [*team["members"], objects.member(self.me, "Member", self.now())]
        self.hidden -= {team_key, *self._pipelines_of(team_key)}

    def _pipelines_of(self, team_key: str) -> list[str]:
        return [key for key, row in self.pipelines.items() if row["teamKey"] == team_key]

    # --- a team's own fields: `kind` is "contacts" or "organizations" -----------------------------

    @change
    def add_team_field(
        self,
        kind: str,
        team_key: str,
        name: str,
        type_: str = "TEXT_INPUT",
        options: tuple[str, ...] | list[str] = (),
    ) -> Row:
        fields = self._team_fields(kind, team_key)
        key = str(max(map(int, fields), default=1000) + 1)
        fields[key] = objects.field(key, name, type_, tuple(options))
        del fields[key]["aiSettings"]
        return fields[key]

    @change
    def rename_team_field(self, kind: str, team_key: str, field_key: str, name: str) -> Row:
        row = self._team_fields(kind, team_key)[field_key]
        row.update(name=name, lastUpdatedTimestamp=self.now())
        return row

    @change
    def delete_team_field(
        self, kind: str, team_key: str, field_key: str, with_values: bool = False
    ) -> None:
        """Deletes a definition. The values stay, unless `with_values` deletes them too."""
        del self._team_fields(kind, team_key)[field_key]
        if with_values:
            for row in getattr(self, kind)[team_key]:
                row["fields"].pop(field_key, None)

    @change
    def add_team_option(self, kind: str, team_key: str, field_key: str, label: str) -> Row:
        return self._change_option(kind, team_key, field_key, objects.add_option, label)

    @change
    def rename_team_option(
        self, kind: str, team_key: str, field_key: str, option_key: str, label: str
    ) -> Row:
        return self._change_option(
            kind, team_key, field_key, objects.rename_option, option_key, label
        )

    @change
    def delete_team_option(self, kind: str, team_key: str, field_key: str, option_key: str) -> None:
        """Values that use the option stay as they are."""
        self._change_option(kind, team_key, field_key, objects.delete_option, option_key)

    def _change_option(
        self, kind: str, team_key: str, field_key: str, how: Any, *values: str
    ) -> Row:
        field = self._team_fields(kind, team_key)[field_key]
        field["lastUpdatedTimestamp"] = self.now()
        return how(field, *values)

    def _team_fields(self, kind: str, team_key: str) -> dict[str, Row]:
        """A team's field definitions, to be changed; so the team's stamp moves."""
        return self.edit_team(team_key)[SETTINGS[kind]]["fields"]

    # --- contacts and organizations ---------------------------------------------------------------

    @change
    def add_contact(self, team_key: str, **properties: Any) -> Row:
        row = objects.contact(self.number(), team_key, self.my_key, self.now()) | properties
        self.contacts[team_key].append(row)
        return row

    @change
    def edit_contact(self, contact_key: str, **properties: Any) -> Row:
        """`fields` changes only the fields that it names; None removes one."""
        return self._edit_entry("contacts", contact_key, properties)

    @change
    def delete_contact(self, contact_key: str) -> None:
        """Deletes a contact and all links to it; whatever linked to it gets a new stamp."""
        self._delete_entry("contacts", contact_key)

    @change
    def merge_contacts(self, kept_key: str, gone_key: str) -> Row:
        """Merges the second into the first, filling gaps. Its key then answers with the first."""
        return self._merge_entries("contacts", kept_key, gone_key)

    @change
    def add_organization(self, team_key: str, **properties: Any) -> Row:
        row = objects.organization(self.number(), team_key, self.my_key, self.now()) | properties
        self.organizations[team_key].append(row)
        return row

    @change
    def edit_organization(self, organization_key: str, **properties: Any) -> Row:
        """`fields` changes only the fields that it names; None removes one."""
        return self._edit_entry("organizations", organization_key, properties)

    @change
    def delete_organization(self, organization_key: str) -> None:
        self._delete_entry("organizations", organization_key)

    @change
    def merge_organizations(self, kept_key: str, gone_key: str) -> Row:
        return self._merge_entries("organizations", kept_key, gone_key)

    @change
    def link(self, kind: str, key: str, to_kind: str, to_key: str, magic: bool = False) -> Row:
        """Links a contact or organization to another, both ways if they are of the same kind."""
        row = self._link_one_way(kind, key, to_kind, to_key, magic)
        if kind == to_kind:
            self._link_one_way(kind, to_key, kind, key, magic)
        return row

    @change
    def unlink(self, kind: str, key: str, to_kind: str, to_key: str) -> Row:
        row = self.directory_entry(kind, key)
        self._relink(row, LINKS[to_kind], {to_key: None})
        if kind == to_kind:
            self._relink(self.directory_entry(kind, to_key), LINKS[kind], {key: None})
        return row

    def _link_one_way(self, kind: str, key: str, to_kind: str, to_key: str, magic: bool) -> Row:
        row = self.directory_entry(kind, key)
        links = [link for link in row.get(LINKS[to_kind]) or [] if link["key"] != to_key]
        link = {"key": to_key, "isMagicLinked": magic, "creationTimestamp": self.now()}
        return self._edit_entry(kind, key, {LINKS[to_kind]: [*links, link]})

    def _edit_entry(self, kind: str, key: str, properties: Row) -> Row:
        row = self.directory_entry(kind, key)
        if "fields" in properties:
            properties["fields"] = without_none(row["fields"] | properties["fields"])
        now = self.now()
        row.update({"versionTimestamp": now, "lastSavedTimestamp": now} | properties)
        return row

    def _merge_entries(self, kind: str, kept_key: str, gone_key: str) -> Row:
        kept, gone = self.directory_entry(kind, kept_key), self.directory_entry(kind, gone_key)
        gaps = {name: value for name, value in gone.items() if value and not kept.get(name)}
        lists = {
            name: list(dict.fromkeys([*kept[name], *gone[name]]))
            for name in ("emailAddresses", "phoneNumbers", "addresses", "domains")
            if kept.get(name) and gone.get(name)
        }
        fields = gone["fields"] | kept["fields"]
        self._delete_entry(kind, gone_key, instead=kept_key)
        self.merged[gone_key] = kept_key
        return self._edit_entry(kind, kept_key, gaps | lists | {"fields": fields})

    def _delete_entry(self, kind: str, key: str, instead: str | None = None) -> None:
        """Removes it from its list and from all links, where `instead` takes its place."""
        row = self.directory_entry(kind, key)
        getattr(self, kind)[row["teamKey"]].remove(row)
        self._rename_links(kind, {key: instead})

    def _rename_links(self, kind: str, renamed: dict[str, str | None]) -> None:
        """Rename keys in every contact, organization and box that links to one of them."""
        for holder in LINKS:
            for rows in getattr(self, holder).values():
                for entry in rows:
                    self._relink(entry, LINKS[kind], renamed)
        for box in self.boxes.values():
            self._relink(box, kind, renamed)

    def _relink(self, row: Row, name: str, renamed: dict[str, str | None]) -> None:
        """None removes a link. A row never links twice to the same object, or to itself."""
        links = row.get(name) or []
        if not any(link["key"] in renamed for link in links):
            return
        named: dict[str | None, Row] = {}
        for link in links:
            key = renamed.get(link["key"], link["key"])
            named.setdefault(key, link | {"key": key})
        row[name] = [link for key, link in named.items() if key not in (None, row["key"])]
        row["lastSavedTimestamp"] = self.now()
        if "versionTimestamp" in row:
            row["versionTimestamp"] = row["lastSavedTimestamp"]

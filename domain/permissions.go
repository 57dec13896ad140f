package domain

import "slices"

// Permission is one thing an actor may be allowed to do.
type Permission string

// The permissions. The list is durable: roles in the log name them.
const (
	WorkspaceManage  Permission = "workspace.manage"
	MemberInvite     Permission = "member.invite"
	MemberRead       Permission = "member.read"
	MemberRemove     Permission = "member.remove"
	RoleWrite        Permission = "role.write"
	AgentManage      Permission = "agent.manage"
	TokenManage      Permission = "token.manage"
	PolicyRead       Permission = "policy.read"
	PolicyWrite      Permission = "policy.write"
	BudgetRead       Permission = "budget.read"
	BudgetWrite      Permission = "budget.write"
	ExecutionRequest Permission = "execution.request"
	ExecutionRead    Permission = "execution.read"
	ExecutionControl Permission = "execution.control"
	ApprovalRead     Permission = "approval.read"
	ApprovalDecide   Permission = "approval.decide"
	AuditSearch      Permission = "audit.search"
	AuditReadContent Permission = "audit.read_content"
	AuditExport      Permission = "audit.export"
	ReplayRun        Permission = "replay.run"
	SinkManage       Permission = "sink.manage"
	IdentityManage   Permission = "identity.manage"
	KeyManage        Permission = "key.manage"
	SubjectErase     Permission = "subject.erase"
)

// PermissionInfo explains a permission to the person who grants it.
type PermissionInfo struct {
	Permission Permission
	Sentence   string
}

// Permissions lists every permission with a sentence, in a stable order.
func Permissions() []PermissionInfo {
	return []PermissionInfo{
		{WorkspaceManage, "Change the workspace's own settings."},
		{MemberInvite, "Invite people into the workspace."},
		{MemberRead, "See who is in the workspace, with names and e-mail addresses."},
		{MemberRemove, "Remove people from the workspace and revoke all their credentials."},
		{RoleWrite, "Define roles and say who holds them, never beyond what the granter holds."},
		{AgentManage, "Register and remove agents."},
		{TokenManage, "Issue and revoke the tokens of agents."},
		{PolicyRead, "Read policies and try them with a dry run."},
		{PolicyWrite, "Write policies: what agents may do, what needs a human, what is forbidden."},
		{BudgetRead, "See budgets, prices and what was spent."},
		{BudgetWrite, "Set budgets and prices."},
		{ExecutionRequest, "Ask for executions and record their prompts and outcomes, as an agent does."},
		{ExecutionRead, "See executions and their history."},
		{ExecutionControl, "Cancel or close executions that somebody else requested."},
		{ApprovalRead, "See approvals and the exact action each one covers."},
		{ApprovalDecide, "Approve or deny actions, where the approval's roles allow it."},
		{AuditSearch, "Search the audit trail and read the metadata and stored bytes of records."},
		{AuditReadContent, "Open the content of records, with a reason; the opening is itself recorded."},
		{AuditExport, "Take evidence files out of the workspace."},
		{ReplayRun, "Recompute a moment of the past from the log."},
		{SinkManage, "Connect the workspace to a SIEM or another receiver."},
		{IdentityManage, "Connect identity providers for single sign-on."},
		{KeyManage, "Rotate and inspect the workspace's keys."},
		{SubjectErase, "Destroy the key of a data subject, so that content about it can never be read again."},
	}
}

// ValidPermission reports whether p is one of the listed permissions.
func ValidPermission(p Permission) bool {
	return slices.ContainsFunc(Permissions(), func(i PermissionInfo) bool { return i.Permission == p })
}

// The built-in roles. They exist in every workspace and cannot be changed.
const (
	RoleOwner                RoleName = "owner"
	RoleAdmin                RoleName = "admin"
	RolePolicyAuthor         RoleName = "policy_author"
	RoleOperationsSupervisor RoleName = "operations_supervisor"
	RoleAuditor              RoleName = "auditor"
	RoleMember               RoleName = "member"
	RoleAgent                RoleName = "agent"
)

// BuiltinRole answers the permissions of a built-in role, or false.
func BuiltinRole(name RoleName) ([]Permission, bool) {
	switch name {
	case RoleOwner:
		all := make([]Permission, 0, 24)
		for _, p := range Permissions() {
			all = append(all, p.Permission)
		}
		return all, true
	case RoleAdmin:
		return []Permission{WorkspaceManage, MemberInvite, MemberRead, MemberRemove, RoleWrite, AgentManage,
			TokenManage, PolicyRead, BudgetRead, BudgetWrite, ExecutionRead, ExecutionControl, ApprovalRead,
			SinkManage, IdentityManage, KeyManage}, true
	case RolePolicyAuthor:
		return []Permission{PolicyRead, PolicyWrite, BudgetRead, ExecutionRead, ApprovalRead}, true
	case RoleOperationsSupervisor:
		return []Permission{MemberRead, PolicyRead, BudgetRead, ExecutionRead, ExecutionControl, ApprovalRead,
			ApprovalDecide}, true
	case RoleAuditor:
		return []Permission{MemberRead, PolicyRead, BudgetRead, ExecutionRead, ApprovalRead, AuditSearch,
			AuditReadContent, AuditExport, ReplayRun}, true
	case RoleMember:
		return []Permission{MemberRead, PolicyRead, BudgetRead, ExecutionRead, ApprovalRead}, true
	case RoleAgent:
		return []Permission{ExecutionRequest}, true
	}
	return nil, false
}

// BuiltinRoles lists the names of the built-in roles in order of reach.
func BuiltinRoles() []RoleName {
	return []RoleName{RoleOwner, RoleAdmin, RolePolicyAuthor, RoleOperationsSupervisor, RoleAuditor, RoleMember, RoleAgent}
}

using static KpiControl.Control.Security.Verb;

namespace KpiControl.Control.Security;

/// <summary>Roles, and the verbs each grants; deny by default.</summary>
internal static class Role
{
    private static readonly Verb[] Viewer = [List, Read];
    private static readonly Verb[] Analyst = [.. Viewer, Inspect, LogsRead, Export];
    private static readonly Verb[] Author = [.. Analyst, Create, Update, ChangeRequestSubmit];
    private static readonly Verb[] Publisher = [.. Author, Publish, Run, Backfill, Pause, Resume, Rollback, ScheduleEdit, SlaEdit, AlertsManage];
    private static readonly Verb[] Approver = [.. Analyst, ChangeRequestApprove];

    private static readonly Dictionary<string, HashSet<Verb>> ByName = new(StringComparer.Ordinal)
    {
        ["viewer"] = [.. Viewer],
        ["analyst"] = [.. Analyst],
        ["author"] = [.. Author],
        ["publisher"] = [.. Publisher],
        ["approver_business"] = [.. Approver],
        ["approver_technical"] = [.. Approver],
        ["auditor"] = [.. Analyst, PolicyRead],
        ["admin"] = [.. Enum.GetValues<Verb>()],
        ["platform_operator"] = [List, Pause, Resume, Diagnose, FleetManage],
    };

    public static bool Grants(string role, Verb verb) => ByName.TryGetValue(role, out var verbs) && verbs.Contains(verb);

    public static bool Exists(string role) => ByName.ContainsKey(role);
}

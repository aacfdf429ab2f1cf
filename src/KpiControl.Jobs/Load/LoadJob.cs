using KpiControl.Jobs.Schedules;

namespace KpiControl.Jobs.Load;

/// <summary>One scheduled job on a load map.</summary>
/// <param name="Name">As an answer names it.</param>
/// <param name="Identity">What its place within <c>spread</c> is a hash of.</param>
/// <param name="Schedule">Jobs whose slots are the same may share one: they are then counted once for all of them.</param>
/// <param name="NotBefore">No slot up to this instant fires, as under a pause; null where all do.</param>
public sealed record LoadJob(string Name, string Identity, JobSchedule Schedule, DateTimeOffset? NotBefore = null);

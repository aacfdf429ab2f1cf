using System.ComponentModel.DataAnnotations;
using KpiControl.Control.Alerts;

namespace KpiControl.Control.OpenLineage;

/// <summary>Who is told of runs as OpenLineage events; nobody where there is no receiver.</summary>
internal sealed class OpenLineageOptions : IValidatableObject
{
    public const string Section = "OpenLineage";

    /// <summary>By tenant; <c>*</c>: of every tenant that has none of its own.</summary>
    public Dictionary<string, LineageReceiver> Receivers { get; set; } = new(StringComparer.Ordinal);

    /// <summary>How often each node looks for what is to be sent.</summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "00:00:30")]
    public TimeSpan SendEvery { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How often somebody looks which runs have started: one that has ended by then is told with its end.</summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "01:00:00")]
    public TimeSpan StartsEvery { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Of one try.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:01:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a node that claimed events may be at them before another one may.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan ClaimedFor { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>So many events are claimed at once that a receiver which answers none of them uses up no claim: another node would send them beside this one.</summary>
    public int MostAtOnce => Math.Clamp((int)(ClaimedFor / Timeout), 1, 50);

    /// <summary>The longest pause between two tries; the first is two seconds, and each is twice the one before.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "1.00:00:00")]
    public TimeSpan LongestPause { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>An event that nobody took for so long is given up; those that were sent or given up are kept as long.</summary>
    [Range(typeof(TimeSpan), "01:00:00", "90.00:00:00")]
    public TimeSpan KeptFor { get; set; } = TimeSpan.FromDays(3);

    public LineageReceiver? Of(string tenant) => Receivers.GetValueOrDefault(tenant) ?? Receivers.GetValueOrDefault("*");

    /// <summary>Null: every tenant.</summary>
    public string[]? Tenants => Receivers.ContainsKey("*") ? null : [.. Receivers.Keys];

    public TimeSpan PauseAfter(int tries) => TimeSpan.FromSeconds(Math.Min(LongestPause.TotalSeconds, Math.Pow(2, Math.Clamp(tries, 1, 20))));

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
        Receivers.SelectMany(receiver => receiver.Value.Mistakes().Select(mistake => new ValidationResult($"OpenLineage:Receivers:{receiver.Key}:{mistake}")))
            .Concat(ClaimedFor < Timeout ? [new ValidationResult($"OpenLineage:ClaimedFor ({ClaimedFor}) is shorter than one try may take (OpenLineage:Timeout, {Timeout}): another node would send the same event beside it")] : []);
}

/// <summary>A server that takes OpenLineage events by POST.</summary>
internal sealed class LineageReceiver
{
    /// <summary>The whole address, such as <c>https://marquez.example.com/api/v1/lineage</c>.</summary>
    public string Url { get; set; } = "";

    /// <summary>A reference to the bearer token; empty: none is sent.</summary>
    public string Token { get; set; } = "";

    /// <summary>The namespace of jobs is this, <c>/</c>, the tenant, <c>/</c> and the environment.</summary>
    public string Namespace { get; set; } = "kpicontrol";

    public IEnumerable<string> Mistakes() =>
    [
        .. TenantChannels.Url("Url", Url), .. Token.Length > 0 ? TenantChannels.Secret("Token", Token) : [],
        .. Namespace.Length is 0 or > 200 || Namespace.Any(char.IsWhiteSpace) ? [$"Namespace '{Namespace}' is empty, longer than 200 or has blanks"] : Array.Empty<string>(),
    ];
}

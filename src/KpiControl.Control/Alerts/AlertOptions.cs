using System.ComponentModel.DataAnnotations;

namespace KpiControl.Control.Alerts;

/// <summary>Where alerts go. Secrets are references, <c>env:NAME</c> or <c>file:/path</c>: never in the settings, never in the database.</summary>
internal sealed class AlertOptions : IValidatableObject
{
    public const string Section = "Alerts";

    /// <summary>Channels by tenant; <c>*</c>: of every tenant that has none of that kind of its own.</summary>
    public Dictionary<string, TenantChannels> Channels { get; set; } = new(StringComparer.Ordinal);

    /// <summary>How often each node looks for what is to be sent.</summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "00:00:30")]
    public TimeSpan SendEvery { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Of one try.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:01:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a node that claimed messages may be at them before another one may.</summary>
    [Range(typeof(TimeSpan), "00:00:00.2", "00:10:00")]
    public TimeSpan ClaimedFor { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>The pauses between tries; six tries over fifteen minutes where none are set.</summary>
    public List<TimeSpan> Retries { get; set; } = [];

    /// <summary>Messages that were sent or dropped are kept for so long.</summary>
    [Range(typeof(TimeSpan), "1.00:00:00", "3660.00:00:00")]
    public TimeSpan KeptFor { get; set; } = TimeSpan.FromDays(90);

    private static readonly TimeSpan[] FifteenMinutes =
        [TimeSpan.FromSeconds(15), TimeSpan.FromSeconds(45), TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(4), TimeSpan.FromMinutes(8)];

    /// <returns>The pause after so many tries; null: that was the last.</returns>
    public TimeSpan? RetryAfter(int tries)
    {
        IReadOnlyList<TimeSpan> pauses = Retries.Count > 0 ? Retries : FifteenMinutes;
        return tries <= pauses.Count ? pauses[tries - 1] : null;
    }

    public TChannel? Of<TChannel>(string tenant, Func<TenantChannels, TChannel?> kind) where TChannel : class =>
        (Channels.TryGetValue(tenant, out var own) ? kind(own) : null) ?? (Channels.TryGetValue("*", out var all) ? kind(all) : null);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
        Channels.SelectMany(tenant => tenant.Value.Mistakes().Select(mistake => new ValidationResult($"Alerts:Channels:{tenant.Key}:{mistake}")))
            .Concat(Retries.Any(pause => pause <= TimeSpan.Zero) ? [new ValidationResult("Alerts:Retries has a pause that is not above 0")] : []);
}

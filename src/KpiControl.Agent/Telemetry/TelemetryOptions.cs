using System.ComponentModel.DataAnnotations;
using KpiControl.Jobs.Calls;

namespace KpiControl.Agent.Telemetry;

/// <summary>Where metrics and traces are pushed to. An agent lets nobody in, so nothing is scraped.</summary>
internal sealed class TelemetryOptions : IValidatableObject
{
    public const string Section = "Agent:Telemetry";

    /// <summary>An OTLP receiver, <c>http://127.0.0.1:4317</c>; empty: nothing is measured or traced.</summary>
    public string OtlpEndpoint { get; set; } = "";

    /// <summary><c>grpc</c>, or <c>http</c> (protobuf; the paths <c>/v1/traces</c> and <c>/v1/metrics</c> are added).</summary>
    public string OtlpProtocol { get; set; } = "grpc";

    // What has an @ or a ? may hold a password.
    private string Shown => OtlpEndpoint.AsSpan().IndexOfAny('@', '?') < 0 ? $"'{OtlpEndpoint}'" : "(not shown)";

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (OtlpEndpoint.Length > 0 && !(Uri.TryCreate(OtlpEndpoint, UriKind.Absolute, out var url) && url is { Scheme: "http" or "https", UserInfo: "", Query: "" }))
            yield return new ValidationResult($"Agent:Telemetry:OtlpEndpoint {Shown} is not an address like http://127.0.0.1:4317, without user, password or query");
        else if (OtlpEndpoint.StartsWith("http:", StringComparison.OrdinalIgnoreCase) && !CallableAddresses.NamesLoopback(new Uri(OtlpEndpoint).Host))
            yield return new ValidationResult($"Agent:Telemetry:OtlpEndpoint {Shown} is not encrypted: use https, or a collector on this machine");
        if (OtlpProtocol is not ("grpc" or "http"))
            yield return new ValidationResult($"Agent:Telemetry:OtlpProtocol '{OtlpProtocol}' is neither grpc nor http");
    }
}

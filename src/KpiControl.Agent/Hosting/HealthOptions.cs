using System.ComponentModel.DataAnnotations;
using System.Net;

namespace KpiControl.Agent.Hosting;

/// <summary>Section <c>Agent:Health</c>: where supervisors ask how the agent is.</summary>
internal sealed class HealthOptions : IValidatableObject
{
    public const string Section = "Agent:Health";

    /// <summary><c>http://127.0.0.1:7403</c>; port 0 lets the system choose. Empty: the agent listens on no port.</summary>
    public string Listen { get; set; } = "";

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Listen.Length > 0 && Endpoint(Listen) is null)
            yield return new ValidationResult($"Agent:Health:Listen '{Listen}' is not an address like http://127.0.0.1:7403: plain http, an IP address, a port.");
    }

    /// <summary>Null where it is none.</summary>
    public static IPEndPoint? Endpoint(string listen) =>
        Uri.TryCreate(listen, UriKind.Absolute, out var url) && url is { Scheme: "http", PathAndQuery: "/" } && IPAddress.TryParse(url.Host.Trim('[', ']'), out var address)
            ? new IPEndPoint(address, url.Port) : null;
}

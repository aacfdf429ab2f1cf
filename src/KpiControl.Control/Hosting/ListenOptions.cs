using System.ComponentModel.DataAnnotations;
using System.Net;

namespace KpiControl.Control.Hosting;

/// <summary>Where the control plane listens.</summary>
internal sealed class ListenOptions : IValidatableObject
{
    public const string Section = "Listen";

    /// <summary>gRPC (HTTP/2): agents, kpictl, grpcurl. <c>http://127.0.0.1:5000</c>; port 0 lets the system choose.</summary>
    public string Grpc { get; set; } = "http://127.0.0.1:7400";

    /// <summary>REST and the OpenAPI page (HTTP/1.1).</summary>
    public string Rest { get; set; } = "http://127.0.0.1:7401";

    /// <summary>Agents with certificates (HTTP/2, always TLS): <c>https://0.0.0.0:7402</c>; empty: none are taken.</summary>
    public string Agents { get; set; } = "";

    /// <summary>Metrics for Prometheus, <c>/metrics</c> alone and without a token: <c>http://127.0.0.1:7404</c>; empty: none are served.</summary>
    public string Metrics { get; set; } = "";

    /// <summary>PEM certificate and key for all of them but <c>http://</c> on loopback; required off loopback, for <c>https://</c>, and for agents.</summary>
    public string CertificateFile { get; set; } = "";
    public string CertificateKeyFile { get; set; } = "";

    /// <summary>Where to write the addresses that were bound, as <c>grpc=…</c>, <c>rest=…</c>, <c>agents=…</c> and <c>metrics=…</c> lines; empty: nowhere.</summary>
    public string AddressFile { get; set; } = "";

    public bool HasCertificate => CertificateFile.Length > 0;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var (name, value) in new[] { ("Grpc", Grpc), ("Rest", Rest) }.Concat(Metrics.Length > 0 ? [("Metrics", Metrics)] : []))
        {
            if (!TryEndpoint(value, out var endpoint))
                yield return new ValidationResult($"Listen:{name} '{value}' is not an address like http://127.0.0.1:7400");
            else if (IsEncrypted(value, endpoint) && !HasCertificate)
                yield return new ValidationResult($"Listen:{name} '{value}' {(IPAddress.IsLoopback(endpoint.Address) ? "asks for TLS" : "is not loopback")} and has no certificate: set Listen:CertificateFile and Listen:CertificateKeyFile");
        }
        if (Agents.Length > 0 && !(TryEndpoint(Agents, out _) && Agents.StartsWith("https:", StringComparison.Ordinal)))
            yield return new ValidationResult($"Listen:Agents '{Agents}' is not an address like https://0.0.0.0:7402");
        if (Agents.Length > 0 && !HasCertificate)
            yield return new ValidationResult("Listen:Agents has no TLS: set Listen:CertificateFile and Listen:CertificateKeyFile");
        foreach (var file in new[] { CertificateFile, CertificateKeyFile }.Where(f => f.Length > 0 && !File.Exists(f)))
            yield return new ValidationResult($"Listen: the file '{file}' does not exist");
        if (CertificateFile.Length > 0 != CertificateKeyFile.Length > 0)
            yield return new ValidationResult("Listen:CertificateFile and Listen:CertificateKeyFile go together: one of them is missing");
        if (File.Exists(CertificateKeyFile) && KeyFile.IsOpenToOthers(CertificateKeyFile))
            yield return new ValidationResult($"Listen:CertificateKeyFile '{CertificateKeyFile}' is open to every user of this machine: whoever reads it can pass for this control plane. chmod 640 or 600 it (in Kubernetes: defaultMode 0440)");
    }

    /// <summary>Off loopback always, whatever the address says.</summary>
    public static bool IsEncrypted(string url, IPEndPoint endpoint) => url.StartsWith("https:", StringComparison.Ordinal) || !IPAddress.IsLoopback(endpoint.Address);

    public static bool TryEndpoint(string url, out IPEndPoint endpoint)
    {
        endpoint = new IPEndPoint(IPAddress.Loopback, 0);
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
            return false;
        if (!IPAddress.TryParse(uri.Host.Trim('[', ']'), out var address))
        {
            if (uri.Host != "localhost")
                return false;
            address = IPAddress.Loopback;
        }
        endpoint = new IPEndPoint(address, uri.Port);
        return true;
    }
}

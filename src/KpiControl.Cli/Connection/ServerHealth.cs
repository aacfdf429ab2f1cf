using Grpc.Core;

namespace KpiControl.Cli.Connection;

/// <summary>Asks for health, the call that needs no token; the answer's headers carry the control plane's version.</summary>
internal static class ServerHealth
{
    public const string VersionHeader = "kpi-control-version";

    // Health's messages need no types here: the request for the whole server is empty, and the answer is not read.
    private static readonly Marshaller<byte[]> Bytes = Marshallers.Create(bytes => bytes, bytes => bytes);
    private static readonly Method<byte[], byte[]> Check = new(MethodType.Unary, "grpc.health.v1.Health", "Check", Bytes, Bytes);

    public static async Task<string> Version(CallInvoker calls, CallOptions options)
    {
        using var call = calls.AsyncUnaryCall(Check, null, options, []);
        var headers = await call.ResponseHeadersAsync;
        await call.ResponseAsync;
        return headers.GetValue(VersionHeader) ?? "reached (it does not say its version)";
    }
}

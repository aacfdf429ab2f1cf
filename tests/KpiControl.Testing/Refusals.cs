using Google.Rpc;
using Grpc.Core;

namespace KpiControl.Testing;

/// <summary>Reads what a refused call says.</summary>
public static class Refusals
{
    /// <summary>Runs a call that must be refused.</summary>
    public static async Task<RpcException> OfAsync<T>(AsyncUnaryCall<T> call)
    {
        try
        {
            await call;
        }
        catch (RpcException refused)
        {
            return refused;
        }
        throw new InvalidOperationException("The call was to be refused, and was not.");
    }

    public static ErrorInfo Info(this RpcException refused) => refused.GetRpcStatus()!.GetDetail<ErrorInfo>()!;

    public static IReadOnlyList<BadRequest.Types.FieldViolation> Violations(this RpcException refused) =>
        refused.GetRpcStatus()!.GetDetail<BadRequest>()!.FieldViolations;
}

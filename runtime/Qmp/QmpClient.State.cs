using System.Runtime.InteropServices;
using System.Text.Json;
using System.Threading.Channels;

namespace Vks.Runtime.Qmp;

// A guest's state without its memory, which lies in a file already: QEMU's migration with the memory left out (x-ignore-shared).
internal sealed partial class QmpClient
{
    private const string StateName = "state";

    private static readonly QmpCapabilitiesArguments WithoutMemory = new([new("x-ignore-shared", true), new("events", true)]);

    /// <summary>
    /// Halts the guest and writes the state of its devices. The guest's memory must be a shared mapping of a file. A guest that runs goes on
    /// running where it is restored.
    /// </summary>
    /// <param name="file">Open for writing.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    internal async Task SaveStateAsync(SafeHandle file, CancellationToken cancellationToken)
    {
        Channel<QmpEvent> events = _connection.Subscribe();
        try
        {
            await SendAsync("migrate-set-capabilities", WithoutMemory, QmpJson.Default.QmpCommandQmpCapabilitiesArguments, cancellationToken);
            await GiveStateFileAsync(file, cancellationToken);
            await SendAsync("migrate", new QmpUriArguments("fd:" + StateName), QmpJson.Default.QmpCommandQmpUriArguments, cancellationToken);
            string end = await WaitForAsync(events, static told => told is QmpEvent.Migration { Status: "completed" or "failed" or "cancelled" } end ? end.Status : null, "migrate", cancellationToken);
            if (end != "completed")
            {
                throw new QmpException(QmpFault.CommandFailed, "migrate", $"QEMU could not write the state of the guest: migration {end}.");
            }
        }
        finally
        {
            _connection.Unsubscribe(events);
        }
    }

    /// <summary>Gives a QEMU that waits for it (<c>-incoming defer</c>) the state of a guest and completes when the guest runs. A state that does not fit ends QEMU.</summary>
    /// <param name="file">Open for reading, at its beginning.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    internal async Task RestoreStateAsync(SafeHandle file, CancellationToken cancellationToken)
    {
        Channel<QmpEvent> events = _connection.Subscribe();
        try
        {
            // One after another without waiting for each answer. No announcing: QEMU would send frames with the saved guest's MAC address.
            await Task.WhenAll(
                SendAsync("migrate-set-capabilities", WithoutMemory, QmpJson.Default.QmpCommandQmpCapabilitiesArguments, cancellationToken),
                SendAsync("migrate-set-parameters", new QmpMigrationParameters(AnnounceRounds: 0), QmpJson.Default.QmpCommandQmpMigrationParameters, cancellationToken),
                GiveStateFileAsync(file, cancellationToken),
                SendAsync("migrate-incoming", new QmpUriArguments("fd:" + StateName), QmpJson.Default.QmpCommandQmpUriArguments, cancellationToken));
            _ = await WaitForAsync(events, static told => told is QmpEvent.Resumed ? "" : null, "migrate-incoming", cancellationToken);
        }
        finally
        {
            _connection.Unsubscribe(events);
        }
    }

    private Task<JsonElement> GiveStateFileAsync(SafeHandle file, CancellationToken cancellationToken) =>
        _connection.SendAsync("getfd", new QmpGetFdArguments(StateName), QmpJson.Default.QmpCommandQmpGetFdArguments, file, cancellationToken);

    private static async Task<T> WaitForAsync<T>(Channel<QmpEvent> events, Func<QmpEvent, T?> choose, string command, CancellationToken cancellationToken)
        where T : class
    {
        await foreach (QmpEvent told in events.Reader.ReadAllAsync(cancellationToken))
        {
            if (choose(told) is { } chosen)
            {
                return chosen;
            }
        }

        throw new QmpException(QmpFault.ConnectionLost, command, $"The connection to QEMU ended before {command} was done.");
    }
}
